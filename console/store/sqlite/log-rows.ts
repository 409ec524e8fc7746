import type { LogRow, LogRows, LogStream, OwnedLogRow } from '../ports/log-rows.ts';
import type { ConsoleDatabase } from './database.ts';

const ONE = 'WHERE agent_id = ? AND run_id = ? AND attempt = ? AND stream = ?';

export function createLogRows({ sql, prepare, write }: ConsoleDatabase): LogRows {
  const keyOf = ({ agent_id, run_id, attempt, stream }: LogStream) =>
    [agent_id, run_id, attempt, stream] as const;

  return {
    begin: (stream, at) =>
      write(() => {
        prepare(
          'INSERT INTO run_logs (agent_id, run_id, attempt, stream, bytes, updated_at) VALUES (?, ?, ?, ?, 0, ?) ON CONFLICT DO NOTHING',
        ).run(...keyOf(stream), at.toISOString());
      }),
    note: (sizes) =>
      write(() => {
        const before = prepare(`SELECT bytes FROM run_logs ${ONE}`);
        const update = prepare(`UPDATE run_logs SET bytes = ?, updated_at = ? ${ONE}`);
        let grown = 0;
        for (const { stream, bytes, at } of sizes) {
          const row = before.get(...keyOf(stream)) as { bytes: number } | undefined;
          if (row === undefined) continue;
          update.run(bytes, at.toISOString(), ...keyOf(stream));
          grown += bytes - row.bytes;
        }
        return grown;
      }),
    unfinished: async (agentId, limit) =>
      prepare(
        `SELECT run_id, attempt, stream, bytes, updated_at FROM run_logs
         WHERE agent_id = :agent
           AND NOT EXISTS (SELECT 1 FROM runs WHERE runs.run_id = run_logs.run_id AND runs.agent_id = :agent)
         ORDER BY updated_at DESC LIMIT :limit`,
      ).all({ agent: agentId, limit }) as unknown as LogRow[],
    list: async (agentId, runId) =>
      prepare(
        'SELECT run_id, attempt, stream, bytes, updated_at FROM run_logs WHERE agent_id = ? AND run_id = ? ORDER BY attempt, stream DESC',
      ).all(agentId, runId) as unknown as LogRow[],
    totalBytes: async () =>
      (prepare('SELECT coalesce(sum(bytes), 0) AS n FROM run_logs').get() as { n: number }).n,
    beyond: async (agentId, bytes, count) =>
      prepare(
        `SELECT agent_id, run_id, attempt, stream, bytes, updated_at FROM (
           SELECT *, sum(bytes) OVER newest AS total, row_number() OVER newest AS place FROM run_logs WHERE agent_id = ?
           WINDOW newest AS (ORDER BY updated_at DESC, run_id DESC, attempt DESC, stream))
         WHERE (total > ? AND place > 1) OR place > ?`,
      ).all(agentId, bytes, count) as unknown as OwnedLogRow[],
    // By the index on their age, as far as need be.
    async oldest(bytes) {
      const rows: OwnedLogRow[] = [];
      let freed = 0;
      const byAge = sql
        .prepare(
          'SELECT agent_id, run_id, attempt, stream, bytes, updated_at FROM run_logs ORDER BY updated_at, agent_id, run_id, attempt, stream',
        )
        .iterate() as unknown as Iterable<OwnedLogRow>;
      for (const row of byAge) {
        if (freed >= bytes) break;
        freed += row.bytes;
        rows.push(row);
      }
      return rows;
    },
    forget: (streams) =>
      write(() => {
        const remove = prepare(`DELETE FROM run_logs ${ONE}`);
        for (const stream of streams) remove.run(...keyOf(stream));
      }),
  };
}
