import type { Event } from '../../../schemas/event.ts';
import type { EventLogPosition, EventLogState, EventRows, StoredEvent } from '../ports/event-rows.ts';
import { tenantList } from '../ports/tenant-scope.ts';
import { noteCommandOutcome } from './command-endings.ts';
import type { ConsoleDatabase } from './database.ts';
import { beyondNewest, createPruning } from './pruning.ts';

export function createEventRows(database: ConsoleDatabase): EventRows {
  const { prepare, write } = database;
  type Key = { readonly agent: string; readonly log: string };
  const positionOf = (key: Key) =>
    (prepare(
      'SELECT next_seq, last_hash, gap_seq, gap_offers, missing FROM event_logs WHERE agent_id = :agent AND log_id = :log',
    ).get({ ...key }) as EventLogPosition | undefined) ?? null;
  const save = (key: Key, position: EventLogPosition, at: Date) => {
    prepare(
      `INSERT INTO event_logs (agent_id, log_id, next_seq, last_hash, gap_seq, gap_offers, missing, updated_at)
         VALUES (:agent, :log, :next_seq, :last_hash, :gap_seq, :gap_offers, :missing, :at)
         ON CONFLICT (agent_id, log_id) DO UPDATE SET next_seq = excluded.next_seq, last_hash = excluded.last_hash,
           gap_seq = excluded.gap_seq, gap_offers = excluded.gap_offers, missing = excluded.missing,
           updated_at = excluded.updated_at`,
    ).run({ ...key, ...position, at: at.toISOString() });
  };
  const keptLines = (key: Key, from: number, to: number): ReadonlyMap<number, string> => {
    const rows = prepare(
      'SELECT seq, line FROM events WHERE agent_id = :agent AND log_id = :log AND seq BETWEEN :from AND :to',
    ).all({ ...key, from, to }) as { seq: number; line: string }[];
    return new Map(rows.map(({ seq, line }) => [seq, line]));
  };
  const select = `SELECT events.id, events.received_at, events.line FROM events JOIN agents USING (agent_id)
    WHERE (:agent IS NULL OR events.agent_id = :agent)
      AND (:tenants IS NULL OR agents.slug IN (SELECT value FROM json_each(:tenants)))`;
  const stored = (rows: unknown[]): StoredEvent[] =>
    (rows as { id: number; received_at: string; line: string }[]).map(({ id, received_at, line }) => ({
      id,
      received_at,
      event: JSON.parse(line) as Event,
    }));

  return {
    advance: ({ agentId, logId, from, to }, at, decide) =>
      write(() => {
        const key = { agent: agentId, log: logId };
        const before = positionOf(key);
        // Mostly an agent goes on where it was: nothing of it is here then.
        const kept = before === null || from >= before.next_seq ? new Map() : keptLines(key, from, to);
        const { outcome, position, lines, commands } = decide(before, kept);
        // First: its lines refer to it.
        if (position !== null) save(key, position, at);
        for (const { seq, line } of lines) {
          prepare(
            'INSERT INTO events (agent_id, log_id, seq, line, received_at) VALUES (:agent, :log, :seq, :line, :at)',
          ).run({ ...key, seq, line, at: at.toISOString() });
        }
        for (const command of commands) noteCommandOutcome(database, agentId, command);
        return outcome;
      }),
    read: async ({ agent, tenants, after, limit }) =>
      stored(
        prepare(`${select} AND events.id > :after ORDER BY events.id LIMIT :limit`).all({
          agent: agent ?? null,
          tenants: tenantList(tenants),
          after,
          limit,
        }),
      ),
    tail: async ({ agent, tenants, limit }) =>
      stored(
        prepare(`${select} ORDER BY events.id DESC LIMIT :limit`).all({
          agent: agent ?? null,
          tenants: tenantList(tenants),
          limit,
        }),
      ).reverse(),
    logs: async (agentId) =>
      prepare(
        'SELECT log_id, next_seq, missing, forked_at FROM event_logs WHERE agent_id = ? ORDER BY updated_at',
      ).all(agentId) as unknown as EventLogState[],
    forked: (agentId, logId, at) =>
      write(() => {
        const mark =
          'UPDATE event_logs SET forked_at = ? WHERE agent_id = ? AND log_id = ? AND forked_at IS NULL';
        return prepare(mark).run(at.toISOString(), agentId, logId).changes > 0;
      }),
    async prune(keepEvents, keepLogs, signal) {
      const { ofEachAgent } = createPruning(database, signal);
      const tooMany = beyondNewest(database, 'events', keepEvents);
      // A log goes with its events, which may be very many: they go first.
      let ofLogs = 0;
      await ofEachAgent(
        (agentId) => {
          const found = prepare(
            'SELECT log_id FROM event_logs WHERE agent_id = ? ORDER BY updated_at DESC, log_id LIMIT -1 OFFSET ?',
          ).all(agentId, keepLogs) as { log_id: string }[];
          return found.length === 0 ? null : found.map(({ log_id }) => log_id);
        },
        (agentId, logs, limit) => {
          const oldest = logs.at(-1);
          if (oldest === undefined) return 0;
          const { changes } = prepare(
            'DELETE FROM events WHERE id IN (SELECT id FROM events WHERE agent_id = ? AND log_id = ? LIMIT ?)',
          ).run(agentId, oldest, limit);
          ofLogs += Number(changes);
          if (changes < limit) {
            prepare('DELETE FROM event_logs WHERE agent_id = ? AND log_id = ?').run(agentId, oldest);
            logs.pop();
          }
          // There may be another one to look at.
          return limit;
        },
      );
      return ofLogs + (await ofEachAgent(tooMany.look, tooMany.remove));
    },
  };
}
