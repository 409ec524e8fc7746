import { createHash } from 'node:crypto';
import type { RunReport } from '../schemas/run.ts';
import type { Status } from '../schemas/status.ts';
import type { SummaryChange } from './store/ports/fleet.ts';
import { type TenantScope, tenantList } from './store/ports/tenant-scope.ts';
import type { ConsoleDatabase } from './store/sqlite/database.ts';
import type { SummaryWriter } from './store/sqlite/fleet/summary-writer.ts';
import { writeCompleted } from './store/sqlite/run-progress.ts';

/** A run as the lists show it: all but its output. */
export interface RunRow {
  readonly id: number;
  readonly tenant: string;
  readonly agent_id: string;
  readonly run_id: string;
  readonly attempt: number;
  readonly flow: string;
  readonly version: string | null;
  readonly status: string;
  readonly exit_code: number | null;
  readonly started_at: string | null;
  readonly finished_at: string;
  readonly received_at: string;
}

export type RunOutcome = 'stored' | 'replayed' | 'conflict';

export type RunFound =
  | { readonly kind: 'report'; readonly body: unknown }
  | { readonly kind: 'ambiguous'; readonly agents: number }
  | { readonly kind: 'none' };

export interface ReportStore {
  /** Stored once a key, together with how the run went (`RunProgressStore`); the same again is `replayed`, another body under the key a `conflict`. `body` is what the agent sent. */
  addRun(agentId: string, key: string, report: RunReport, body: unknown, at: Date): Promise<RunOutcome>;
  /** Newest first; `before` is an `id` of a row. */
  runs(filter: { agent?: string; tenants?: TenantScope; before?: number; limit: number }): Promise<RunRow[]>;
  /** The newest notify body of the run, as the agent sent it; several agents may have reported the same id. */
  run(
    runId: string,
    of: { readonly agent?: string | undefined; readonly tenants?: TenantScope },
  ): Promise<RunFound>;
  /** How the run ended: its newest report. */
  ending(
    agentId: string,
    runId: string,
  ): Promise<{ readonly attempt: number; readonly status: string } | null>;
  /** `status` is what was read of `body`, which is what the agent sent. The fleet's summary of it is written with it. */
  setStatus(agentId: string, status: Status, body: unknown, at: Date): Promise<SummaryChange>;
  status(agentId: string): Promise<{ readonly received_at: string; readonly status: unknown } | null>;
  /** Drops the oldest runs of every agent beyond `keep` of them or `keepBytes` of their bodies; how many. */
  prune(keep: number, keepBytes: number): Promise<number>;
}

export function createReportStore(
  database: ConsoleDatabase,
  summaries: Pick<SummaryWriter, 'record'>,
): ReportStore {
  const { prepare, write } = database;
  return {
    addRun(agentId, key, report, body, at) {
      const text = JSON.stringify(body);
      const sha256 = createHash('sha256').update(text).digest('hex');
      return write(() => {
        const there = prepare('SELECT body_sha256 FROM runs WHERE agent_id = ? AND idempotency_key = ?').get(
          agentId,
          key,
        ) as { body_sha256: string } | undefined;
        if (there !== undefined) return there.body_sha256 === sha256 ? 'replayed' : 'conflict';
        prepare(
          `INSERT INTO runs (agent_id, idempotency_key, run_id, attempt, flow, version, status, exit_code, started_at,
               finished_at, received_at, body_sha256, body_bytes, body)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
        ).run(
          agentId,
          key,
          report.run_id,
          report.attempt,
          report.flow,
          report.version,
          report.status,
          report.exit_code,
          report.started_at,
          report.finished_at,
          at.toISOString(),
          sha256,
          Buffer.byteLength(text),
          text,
        );
        writeCompleted(database, agentId, report, at);
        return 'stored';
      });
    },
    async runs(filter) {
      return prepare(
        `SELECT runs.id, agents.slug AS tenant, runs.agent_id, run_id, attempt, flow, version, status, exit_code,
             started_at, finished_at, received_at
           FROM runs JOIN agents USING (agent_id)
           WHERE (:agent IS NULL OR runs.agent_id = :agent)
             AND (:tenants IS NULL OR agents.slug IN (SELECT value FROM json_each(:tenants)))
             AND (:before IS NULL OR runs.id < :before)
           ORDER BY runs.id DESC LIMIT :limit`,
      ).all({
        agent: filter.agent ?? null,
        tenants: tenantList(filter.tenants),
        before: filter.before ?? null,
        limit: filter.limit,
      }) as unknown as RunRow[];
    },
    async run(runId, { agent, tenants }) {
      const newest = prepare(
        `SELECT max(runs.id) AS id, count(DISTINCT runs.agent_id) AS agents FROM runs JOIN agents USING (agent_id)
           WHERE run_id = :run AND (:agent IS NULL OR runs.agent_id = :agent)
             AND (:tenants IS NULL OR agents.slug IN (SELECT value FROM json_each(:tenants)))`,
      ).get({ run: runId, agent: agent ?? null, tenants: tenantList(tenants) }) as {
        id: number | null;
        agents: number;
      };
      if (newest.id === null) return { kind: 'none' };
      if (newest.agents > 1) return { kind: 'ambiguous', agents: newest.agents };
      const { body } = prepare('SELECT body FROM runs WHERE id = ?').get(newest.id) as { body: string };
      return { kind: 'report', body: JSON.parse(body) as unknown };
    },
    ending: async (agentId, runId) =>
      (prepare(
        'SELECT attempt, status FROM runs WHERE run_id = ? AND agent_id = ? ORDER BY id DESC LIMIT 1',
      ).get(runId, agentId) as { attempt: number; status: string } | undefined) ?? null,
    setStatus(agentId, status, body, at) {
      const text = JSON.stringify(body);
      return write(() => {
        prepare(
          `INSERT INTO statuses (agent_id, body, received_at) VALUES (?, ?, ?)
           ON CONFLICT (agent_id) DO UPDATE SET body = excluded.body, received_at = excluded.received_at`,
        ).run(agentId, text, at.toISOString());
        return summaries.record(agentId, status, at);
      });
    },
    async status(agentId) {
      const row = prepare('SELECT body, received_at FROM statuses WHERE agent_id = ?').get(agentId) as
        | { body: string; received_at: string }
        | undefined;
      return row === undefined
        ? null
        : { received_at: row.received_at, status: JSON.parse(row.body) as unknown };
    },
    prune: (keep, keepBytes) =>
      write(() => {
        const done = prepare(
          `DELETE FROM runs WHERE id IN (
             SELECT id FROM (SELECT id, row_number() OVER newest AS place, sum(body_bytes) OVER newest AS bytes FROM runs
               WINDOW newest AS (PARTITION BY agent_id ORDER BY id DESC))
             WHERE place > ? OR bytes > ?)`,
        ).run(keep, keepBytes);
        return Number(done.changes);
      }),
  };
}
