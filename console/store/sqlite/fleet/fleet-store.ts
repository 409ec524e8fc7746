import type { AgentSort, AgentState } from '../../../../schemas/console/agent.ts';
import type { AgentPage, FleetStore, ReasonCount, StandingGroup } from '../../ports/fleet.ts';
import type { ConsoleDatabase } from '../database.ts';
import { agentCondition } from './agent-query.ts';
import { agentRows } from './agent-rows.ts';
import { FAILED, flowRow, flowRows } from './flow-rows.ts';
import {
  AGENTS_WITH_SUMMARIES,
  inScope,
  RANK,
  STATE,
  SUMMARIES_OF_AGENTS,
  scopeParameter,
  silentParameter,
  stateList,
} from './standing-columns.ts';

/** What each order is by, its direction when none is asked for, and what it then goes by. Empty ones are last either way. */
const ORDERS: Readonly<Record<AgentSort, { key: string; first: 'asc' | 'desc' }>> = {
  state: { key: RANK, first: 'asc' },
  hostname: { key: 'hostname', first: 'asc' },
  last_seen_at: { key: 'last_seen_at', first: 'desc' },
  last_sync_at: { key: 'last_sync_at', first: 'desc' },
  enrolled_at: { key: 'enrolled_at', first: 'desc' },
  version: { key: 'agent_version', first: 'asc' },
};

/** The read model over SQLite. Every list is two passes over small columns and the rows of one page. */
export function createFleetStore(database: ConsoleDatabase): FleetStore {
  /** All that match, in order, as `[id, state]`: one pass for the page and for the counts. */
  const standings = (
    where: string,
    parameters: Record<string, string | number | null>,
    { sort, order }: Pick<AgentPage, 'sort' | 'order'>,
  ) => {
    const { key, first } = ORDERS[sort];
    const statement = database.prepare(
      `SELECT agent_id, state FROM (SELECT a.agent_id, a.hostname, a.last_seen_at, a.enrolled_at, s.last_sync_at,
         coalesce(s.agent_version, a.agent_version) AS agent_version, ${STATE} AS state
         FROM ${AGENTS_WITH_SUMMARIES} WHERE ${where})
       ORDER BY ${key} ${order ?? first} NULLS LAST, hostname, agent_id`,
    );
    return statement.all(parameters) as { agent_id: string; state: AgentState }[];
  };

  const asReasons = (rows: unknown[]) => rows as ReasonCount[];

  return {
    async list(selection, page) {
      const { where, parameters } = agentCondition(selection);
      const wanted = selection.filter.state;
      const all = standings(where, parameters, page);
      const states: Partial<Record<AgentState, number>> = {};
      for (const { state } of all) states[state] = (states[state] ?? 0) + 1;
      const found = wanted === undefined ? all : all.filter(({ state }) => wanted.includes(state));
      const ids = found.slice(page.offset, page.offset + page.limit).map(({ agent_id }) => agent_id);
      return { agents: agentRows(database, ids, selection.now), total: found.length, states };
    },
    async matching(selection, limit) {
      const { where, parameters } = agentCondition(selection);
      const wanted = selection.filter.state;
      const among = wanted === undefined ? '' : 'WHERE state IN (SELECT value FROM json_each(:states))';
      const rows = database
        .prepare(
          `SELECT agent_id, count(*) OVER () AS total FROM (SELECT a.agent_id, ${STATE} AS state
             FROM ${AGENTS_WITH_SUMMARIES} WHERE ${where}) ${among} ORDER BY agent_id LIMIT :limit`,
        )
        .all({
          ...parameters,
          ...(wanted === undefined ? {} : { states: stateList(wanted) }),
          limit,
        }) as { agent_id: string; total: number }[];
      return { ids: rows.map(({ agent_id }) => agent_id), total: rows[0]?.total ?? 0 };
    },
    agent: async (agentId, now) => agentRows(database, [agentId], now)[0] ?? null,
    standings: async (scope, now) =>
      database
        .prepare(
          `SELECT a.slug AS tenant, s.desired_revision AS desired, s.applied_revision AS applied, ${STATE} AS state,
             count(*) AS agents, sum(coalesce(s.connected, 0)) AS connected, sum(coalesce(s.running, 0)) AS running,
             sum(coalesce(s.queued, 0)) AS queued, sum(coalesce(s.held, 0) > 0) AS held
           FROM ${AGENTS_WITH_SUMMARIES} WHERE ${inScope('a.slug')} GROUP BY 1, 2, 3, 4`,
        )
        .all({ ...scopeParameter(scope), ...silentParameter(now) }) as unknown as StandingGroup[],
    async heldFlows(scope, limit) {
      const rows = database
        .prepare(
          `SELECT flow, count(*) OVER () AS total FROM agent_flows WHERE is_held = 1 AND ${inScope('slug')}
           GROUP BY slug, flow ORDER BY count(*) DESC, flow, slug LIMIT :limit`,
        )
        .all({ ...scopeParameter(scope), limit }) as { flow: string; total: number }[];
      return { names: rows.map(({ flow }) => flow), total: rows[0]?.total ?? 0 };
    },
    async worst(scope, now, limit) {
      const rows = database
        .prepare(
          `SELECT agent_id FROM (SELECT a.agent_id, s.state_since, ${STATE} AS state FROM ${AGENTS_WITH_SUMMARIES}
             WHERE ${inScope('a.slug')}) WHERE state NOT IN ('ready', 'revoked')
           ORDER BY ${RANK}, state_since NULLS LAST, agent_id LIMIT :limit`,
        )
        .all({ ...scopeParameter(scope), ...silentParameter(now), limit }) as { agent_id: string }[];
      return agentRows(
        database,
        rows.map(({ agent_id }) => agent_id),
        now,
      );
    },
    reasons: async (scope, states, now, limit) =>
      asReasons(
        database
          .prepare(
            `SELECT reason, message, count FROM (
               SELECT problem_reason AS reason, min(message) AS message, count(*) AS count FROM (
                 SELECT s.problem_reason, (SELECT json_extract(d.rest, '$.problem.message') FROM agent_details d WHERE d.agent_id = a.agent_id) AS message, ${STATE} AS state
                 FROM ${SUMMARIES_OF_AGENTS} WHERE s.problem_reason IS NOT NULL AND ${inScope('a.slug')})
               WHERE state IN (SELECT value FROM json_each(:states)) GROUP BY 1)
             ORDER BY count DESC, reason LIMIT :limit`,
          )
          .all({ ...scopeParameter(scope), ...silentParameter(now), states: stateList(states), limit }),
      ),
    problemsOf: async (tenant, revision, now, limit) =>
      asReasons(
        database
          .prepare(
            `SELECT reason, message, count(*) AS count FROM (
               SELECT s.problem_reason AS reason, (SELECT json_extract(d.rest, '$.problem.message') FROM agent_details d WHERE d.agent_id = a.agent_id) AS message, ${STATE} AS state
               FROM ${SUMMARIES_OF_AGENTS}
               WHERE s.problem_reason IS NOT NULL AND a.slug = :tenant AND s.desired_revision = :revision)
             WHERE state IN ('stalled', 'unhealthy') GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2 LIMIT :limit`,
          )
          .all({ tenant, revision, ...silentParameter(now), limit }),
      ),
    flows: async (scope, query, since) => flowRows(database, scope, query, since),
    flow: async (tenant, flow, since) => flowRow(database, tenant, flow, since),
    async endedRuns(scope, since) {
      const row = database
        .prepare(
          `SELECT coalesce(sum(state = 'succeeded'), 0) AS succeeded, coalesce(sum(state IN ${FAILED}), 0) AS failed
           FROM run_index WHERE received_at >= :since AND ${inScope('slug')}`,
        )
        .get({ since: since.toISOString(), ...scopeParameter(scope) });
      const { succeeded, failed } = row as { succeeded: number; failed: number };
      return { succeeded, failed };
    },
  };
}
