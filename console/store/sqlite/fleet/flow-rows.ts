import type { FlowRow, FlowSort } from '../../../../schemas/console/release.ts';
import type { FleetStore } from '../../ports/fleet.ts';
import type { TenantScope } from '../../ports/tenant-scope.ts';
import type { ConsoleDatabase } from '../database.ts';
import { inScope, scopeParameter, wordsOf } from './standing-columns.ts';

/** A flow is listed with so many of its versions at most, those with the most agents. */
const VERSIONS_MAX = 50;
/** A run that somebody cancelled has not failed. */
export const FAILED = "('failed', 'timed_out', 'lost')";

interface Group {
  tenant: string;
  flow: string;
  runtime: string | null;
  active: string | null;
  desired: string | null;
  health: string;
  held: number;
  agents: number;
}

type Draft = Omit<FlowRow, 'runs' | 'last_run'> & { runs: FlowRow['runs'] };

/** All flows of all agents in scope; revoked ones have left no rows. Put together here: they are few once they are counted. */
export function flowRows(
  database: ConsoleDatabase,
  scope: TenantScope,
  query: Parameters<FleetStore['flows']>[1],
  since: Date,
): { flows: FlowRow[]; total: number } {
  const words = wordsOf(query.q);
  const runs = runCounts(database, scope, since);
  const drafts = draftsOf(groups(database, scope, null)).map((draft) => ({
    ...draft,
    runs: runs.get(`${draft.tenant}/${draft.flow}`) ?? { succeeded: 0, failed: 0 },
  }));
  const found = drafts.filter((draft) => {
    const text = [draft.tenant, draft.flow, draft.runtime, ...draft.versions.map(({ version }) => version)]
      .join(' ')
      .toLowerCase();
    return words.every((word) => text.includes(word));
  });
  const page = found
    .toSorted(inOrder(query.sort, query.order))
    .slice(query.offset, query.offset + query.limit);
  return {
    total: found.length,
    flows: page.map((draft) => ({ ...draft, last_run: lastRun(database, draft) })),
  };
}

export function flowRow(
  database: ConsoleDatabase,
  tenant: string,
  flow: string,
  since: Date,
): FlowRow | null {
  const draft = draftsOf(groups(database, [tenant], flow))[0];
  if (draft === undefined) return null;
  const runs = runCounts(database, [tenant], since).get(`${tenant}/${flow}`);
  return { ...draft, runs: runs ?? draft.runs, last_run: lastRun(database, draft) };
}

function groups(database: ConsoleDatabase, scope: TenantScope, flow: string | null): Group[] {
  return database
    .prepare(
      `SELECT slug AS tenant, flow, active_version AS active, desired_version AS desired, health, is_held AS held, max(runtime) AS runtime,
         count(*) AS agents
       FROM agent_flows WHERE ${inScope('slug')} ${flow === null ? '' : 'AND flow = :flow'}
       GROUP BY slug, flow, active_version, desired_version, health, is_held`,
    )
    .all({ ...scopeParameter(scope), ...(flow === null ? {} : { flow }) }) as unknown as Group[];
}

function draftsOf(rows: readonly Group[]): Draft[] {
  const byFlow = Map.groupBy(rows, ({ tenant, flow }) => `${tenant}/${flow}`);
  return [...byFlow.values()].map((of) => {
    const { tenant, flow } = of[0] as Group;
    const versions = new Map<string, FlowRow['versions'][number]>();
    const count = (version: string | null, as: 'active' | 'desired' | 'held', agents: number) => {
      if (version === null) return;
      const row = versions.get(version) ?? { version, active: 0, desired: 0, held: 0 };
      row[as] += agents;
      versions.set(version, row);
    };
    for (const { active, desired, held, agents } of of) {
      count(active, 'active', agents);
      count(active, 'held', held * agents);
      count(desired, 'desired', agents);
    }
    const sum = (which: (row: Group) => boolean) =>
      of.filter(which).reduce((total, { agents }) => total + agents, 0);
    return {
      tenant,
      flow,
      runtime: of.find(({ runtime }) => runtime !== null)?.runtime ?? null,
      versions: [...versions.values()]
        .toSorted(
          (a, b) => b.active - a.active || b.desired - a.desired || a.version.localeCompare(b.version, 'en'),
        )
        .slice(0, VERSIONS_MAX),
      agents: sum(() => true),
      healthy: sum(({ health }) => health === 'healthy'),
      unhealthy: sum(({ health }) => health === 'unhealthy'),
      runs: { succeeded: 0, failed: 0 },
    };
  });
}

function inOrder(sort: FlowSort, order: 'asc' | 'desc' | undefined): (a: Draft, b: Draft) => number {
  const byName = (a: Draft, b: Draft) =>
    a.flow.localeCompare(b.flow, 'en') || a.tenant.localeCompare(b.tenant, 'en');
  const number = {
    flow: null,
    agents: (row: Draft) => row.agents,
    unhealthy: (row: Draft) => row.unhealthy,
    failed: (row: Draft) => row.runs.failed,
  }[sort];
  if (number === null) return order === 'desc' ? (a, b) => byName(b, a) : byName;
  const sign = order === 'asc' ? 1 : -1;
  return (a, b) => sign * (number(a) - number(b)) || byName(a, b);
}

function runCounts(
  database: ConsoleDatabase,
  scope: TenantScope,
  since: Date,
): Map<string, { succeeded: number; failed: number }> {
  const rows = database
    .prepare(
      `SELECT slug AS tenant, flow, sum(state = 'succeeded') AS succeeded, sum(state IN ${FAILED}) AS failed
       FROM run_index WHERE received_at >= :since AND ${inScope('slug')} GROUP BY 1, 2`,
    )
    .all({ since: since.toISOString(), ...scopeParameter(scope) }) as unknown as {
    tenant: string;
    flow: string;
    succeeded: number;
    failed: number;
  }[];
  return new Map(
    rows.map(({ tenant, flow, succeeded, failed }) => [`${tenant}/${flow}`, { succeeded, failed }]),
  );
}

function lastRun(
  database: ConsoleDatabase,
  { tenant, flow }: Pick<FlowRow, 'tenant' | 'flow'>,
): FlowRow['last_run'] {
  const row = database
    .prepare(
      `SELECT run_id, agent_id, state, coalesce(finished_at, started_at, asked_at, received_at) AS at FROM run_index
       WHERE slug = ? AND flow = ? ORDER BY id DESC LIMIT 1`,
    )
    .get(tenant, flow);
  return (row as FlowRow['last_run'] | undefined) ?? null;
}
