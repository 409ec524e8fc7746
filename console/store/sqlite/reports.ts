import type { ReportRows, RunRow } from '../ports/reports.ts';
import { tenantList } from '../ports/tenant-scope.ts';
import type { ConsoleDatabase } from './database.ts';
import type { SummaryWriter } from './fleet/summary-writer.ts';
import { createPruning } from './pruning.ts';
import { writeCompleted } from './run-progress.ts';

/** Of bodies that one write takes away, and one more. */
const PIECE_BYTES = 8 * 1_024 * 1_024;

export function createReportRows(
  database: ConsoleDatabase,
  summaries: Pick<SummaryWriter, 'record'>,
): ReportRows {
  const { prepare, write } = database;
  return {
    addRun: (agentId, key, report, { text, sha256 }, at) =>
      write(() => {
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
      }),
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
    async newest(runId, { agent, tenants }) {
      const { id, agents } = prepare(
        `SELECT max(runs.id) AS id, count(DISTINCT runs.agent_id) AS agents FROM runs JOIN agents USING (agent_id)
           WHERE run_id = :run AND (:agent IS NULL OR runs.agent_id = :agent)
             AND (:tenants IS NULL OR agents.slug IN (SELECT value FROM json_each(:tenants)))`,
      ).get({ run: runId, agent: agent ?? null, tenants: tenantList(tenants) }) as {
        id: number | null;
        agents: number;
      };
      if (id === null) return null;
      const { body } = prepare('SELECT body FROM runs WHERE id = ?').get(id) as { body: string };
      return { text: body, agents };
    },
    ending: async (agentId, runId) =>
      (prepare(
        'SELECT attempt, status FROM runs WHERE run_id = ? AND agent_id = ? ORDER BY id DESC LIMIT 1',
      ).get(runId, agentId) as { attempt: number; status: string } | undefined) ?? null,
    setStatus: (agentId, status, text, at) =>
      write(() => {
        prepare(
          `INSERT INTO statuses (agent_id, body, received_at) VALUES (?, ?, ?)
           ON CONFLICT (agent_id) DO UPDATE SET body = excluded.body, received_at = excluded.received_at`,
        ).run(agentId, text, at.toISOString());
        return summaries.record(agentId, status, at);
      }),
    status: async (agentId) =>
      (prepare('SELECT body AS text, received_at FROM statuses WHERE agent_id = ?').get(agentId) as
        | { text: string; received_at: string }
        | undefined) ?? null,
    prune: async (keep, keepBytes, signal) =>
      createPruning(database, signal).ofEachAgent(
        (agentId) => {
          const { newest } = prepare(
            `SELECT max(id) AS newest FROM (SELECT id, row_number() OVER newest AS place, sum(body_bytes) OVER newest AS bytes
               FROM runs WHERE agent_id = ? WINDOW newest AS (ORDER BY id DESC))
             WHERE place > ? OR bytes > ?`,
          ).get(agentId, keep, keepBytes) as { newest: number | null };
          return newest;
        },
        // By their size, too: a body of 16 MiB takes 15 ms to let go.
        (agentId, newest, limit) =>
          Number(
            prepare(
              `DELETE FROM runs WHERE id IN (SELECT id FROM (
                 SELECT id, sum(body_bytes) OVER (ORDER BY id) - body_bytes AS before
                   FROM (SELECT id, body_bytes FROM runs WHERE agent_id = ? AND id <= ? ORDER BY id LIMIT ?))
                 WHERE before < ?)`,
            ).run(agentId, newest, limit, PIECE_BYTES).changes,
          ),
      ),
  };
}
