import { createHash } from 'node:crypto';
import { z } from 'zod';
import { EVENT_BATCH_MAX, Event } from '../schemas/event.ts';
import { Id } from '../schemas/names.ts';
import { type TenantScope, tenantList } from './store/ports/tenant-scope.ts';
import type { ConsoleDatabase } from './store/sqlite/database.ts';

/**
 * A gap is believed when the agent offers the same event after it this many times although it was told what is wanted: its
 * rotated files no longer hold the older ones. The gap is counted in `missing`, and the agent is not stuck for ever.
 */
const GAP_PATIENCE = 3;
const FIRST_PREV = '0'.repeat(64);

/** Lenient: an agent newer than this console may know other reasons, and fields we do not. */
const ReceivedEvent = z.looseObject({ ...Event.shape, reason: z.string().min(1).max(64) });
export const ReceivedBatch = z.looseObject({
  log_id: Id,
  events: z.array(ReceivedEvent).max(EVENT_BATCH_MAX),
});
export type ReceivedBatch = z.infer<typeof ReceivedBatch>;

export type Appended =
  | { readonly kind: 'taken'; readonly nextSeq: number; readonly added: number }
  /** Nothing taken: the agent has to begin at `nextSeq`. */
  | { readonly kind: 'gap'; readonly nextSeq: number }
  /** What the agent says now does not follow from what it said before. Nothing taken. */
  | { readonly kind: 'broken'; readonly code: string; readonly message: string };

export interface StoredEvent {
  /** Counts over all agents, in order of arrival: the cursor of the read API. */
  readonly id: number;
  readonly received_at: string;
  readonly event: Event;
}

export interface EventLogState {
  readonly log_id: string;
  readonly next_seq: number;
  /** Events the agent could no longer send. */
  readonly missing: number;
  /** When the agent first told it otherwise than before: a copied or restored machine. */
  readonly forked_at: string | null;
}

export interface EventHistory {
  /** `lines` are the events as they were sent, serialised again: what the chain is over. All of the batch or nothing. */
  append(agentId: string, batch: ReceivedBatch, lines: readonly string[], at: Date): Promise<Appended>;
  /** In order of arrival, with `id` greater than `after`. */
  read(filter: {
    agent?: string;
    tenants?: TenantScope;
    after: number;
    limit: number;
  }): Promise<StoredEvent[]>;
  /** The last `limit`, in order of arrival. */
  tail(filter: { agent?: string; tenants?: TenantScope; limit: number }): Promise<StoredEvent[]>;
  logs(agentId: string): Promise<EventLogState[]>;
  /** The agent tells this log in two ways; true when that was not known. */
  forked(agentId: string, logId: string, at: Date): Promise<boolean>;
  /** Drops the oldest events and the oldest logs of every agent beyond so many; how many events. */
  prune(keepEvents: number, keepLogs: number): Promise<number>;
}

interface LogRow {
  next_seq: number;
  last_hash: string;
  gap_seq: number | null;
  gap_offers: number;
  missing: number;
}

/** What agents tell of themselves, gap-free and chained (contract, sections 7 and 9): `prev` is the SHA-256 of the line before. */
export function createEventHistory(database: ConsoleDatabase): EventHistory {
  const { prepare, write } = database;

  const append = (agentId: string, batch: ReceivedBatch, lines: readonly string[], at: Date): Appended => {
    const key = { agent: agentId, log: batch.log_id };
    const log = (prepare(
      'SELECT next_seq, last_hash, gap_seq, gap_offers, missing FROM event_logs WHERE agent_id = :agent AND log_id = :log',
    ).get(key) as LogRow | undefined) ?? {
      next_seq: 1,
      last_hash: FIRST_PREV,
      gap_seq: null,
      gap_offers: 0,
      missing: 0,
    };
    const save = (row: LogRow) => {
      prepare(
        `INSERT INTO event_logs (agent_id, log_id, next_seq, last_hash, gap_seq, gap_offers, missing, updated_at)
           VALUES (:agent, :log, :next_seq, :last_hash, :gap_seq, :gap_offers, :missing, :at)
           ON CONFLICT (agent_id, log_id) DO UPDATE SET next_seq = excluded.next_seq, last_hash = excluded.last_hash,
             gap_seq = excluded.gap_seq, gap_offers = excluded.gap_offers, missing = excluded.missing,
             updated_at = excluded.updated_at`,
      ).run({ ...key, ...row, at: at.toISOString() });
    };
    const first = batch.events[0];
    if (first === undefined) return { kind: 'taken', nextSeq: log.next_seq, added: 0 };
    let { next_seq: next, last_hash: last, missing } = log;
    if (first.seq > next) {
      const offers = log.gap_seq === first.seq ? log.gap_offers + 1 : 1;
      if (offers < GAP_PATIENCE) {
        save({ ...log, gap_seq: first.seq, gap_offers: offers });
        return { kind: 'gap', nextSeq: next };
      }
      missing += first.seq - next;
      next = first.seq;
      last = first.prev;
    }
    const begin = next;
    save({ next_seq: next, last_hash: last, gap_seq: null, gap_offers: 0, missing });
    for (const [index, event] of batch.events.entries()) {
      const line = lines[index] as string;
      if (event.seq !== first.seq + index) {
        return broken('events_out_of_order', `expected seq ${first.seq + index}, found ${event.seq}`);
      }
      if (event.seq < begin) {
        if (differs(agentId, batch.log_id, event.seq, line)) {
          return broken(
            'event_changed',
            `event ${event.seq} of this log was another one when it was first sent`,
          );
        }
        continue;
      }
      if (event.prev !== last) {
        return broken(
          'chain_broken',
          `expected "prev" of event ${event.seq} to be ${last}, the SHA-256 of the line before, found ${event.prev}`,
        );
      }
      prepare(
        'INSERT INTO events (agent_id, log_id, seq, line, received_at) VALUES (:agent, :log, :seq, :line, :at)',
      ).run({ ...key, seq: event.seq, line, at: at.toISOString() });
      last = createHash('sha256').update(line).digest('hex');
      next = event.seq + 1;
    }
    save({ next_seq: next, last_hash: last, gap_seq: null, gap_offers: 0, missing });
    return { kind: 'taken', nextSeq: next, added: next - begin };
  };

  const differs = (agentId: string, logId: string, seq: number, line: string): boolean => {
    const row = prepare('SELECT line FROM events WHERE agent_id = ? AND log_id = ? AND seq = ?').get(
      agentId,
      logId,
      seq,
    ) as { line: string } | undefined;
    return row !== undefined && row.line !== line;
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
    async append(agentId, batch, lines, at) {
      try {
        return await write(() => {
          const result = append(agentId, batch, lines, at);
          if (result.kind === 'broken') throw new Undo(result);
          return result;
        });
      } catch (error) {
        if (error instanceof Undo) return error.result;
        throw error;
      }
    },
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
    prune(keepEvents, keepLogs) {
      const oldest = (table: string, order: string, column: string) =>
        `DELETE FROM ${table} WHERE ${column} IN (SELECT ${column} FROM (SELECT ${column},
           row_number() OVER (PARTITION BY agent_id ORDER BY ${order} DESC) AS place FROM ${table}) WHERE place > ?)`;
      return write(() => {
        const count = () => (prepare('SELECT count(*) AS n FROM events').get() as { n: number }).n;
        const before = count();
        prepare(oldest('event_logs', 'updated_at', 'rowid')).run(keepLogs);
        prepare(oldest('events', 'id', 'id')).run(keepEvents);
        return before - count();
      });
    },
  };
}

/** Takes the transaction back and carries the answer out of it. */
class Undo extends Error {
  readonly result: Appended;
  constructor(result: Appended) {
    super('undone');
    this.result = result;
  }
}

function broken(code: string, message: string): Appended {
  return { kind: 'broken', code, message };
}
