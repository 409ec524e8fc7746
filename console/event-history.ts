import { createHash } from 'node:crypto';
import { z } from 'zod';
import { EVENT_BATCH_MAX, Event } from '../schemas/event.ts';
import { Id } from '../schemas/names.ts';
import type { CommandOutcome, EventLogPosition, EventRows, EventStep } from './store/ports/event-rows.ts';

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

const OUTCOME_MAX = 1_000;
const OUTCOME_VERSION_MAX = 255;

export interface EventHistory extends Omit<EventRows, 'advance'> {
  /** `lines` are the events as they were sent, serialised again: what the chain is over. All of the batch or nothing. */
  append(agentId: string, batch: ReceivedBatch, lines: readonly string[], at: Date): Promise<Appended>;
}

const BEGINNING: EventLogPosition = {
  next_seq: 1,
  last_hash: FIRST_PREV,
  gap_seq: null,
  gap_offers: 0,
  missing: 0,
};

/** What agents tell of themselves, gap-free and chained (contract, sections 7 and 9): `prev` is the SHA-256 of the line before. */
export function createEventHistory({ advance, ...rows }: EventRows): EventHistory {
  return {
    ...rows,
    append: async (agentId, batch, lines, at) => {
      const [from, to] = [batch.events.at(0)?.seq ?? 0, batch.events.at(-1)?.seq ?? 0];
      return advance({ agentId, logId: batch.log_id, from, to }, at, (position, kept) =>
        follow(position ?? BEGINNING, batch, lines, kept),
      );
    },
  };
}

function follow(
  log: EventLogPosition,
  batch: ReceivedBatch,
  lines: readonly string[],
  kept: ReadonlyMap<number, string>,
): EventStep<Appended> {
  const first = batch.events[0];
  if (first === undefined) return unwritten({ kind: 'taken', nextSeq: log.next_seq, added: 0 });
  let { next_seq: next, last_hash: last, missing } = log;
  if (first.seq > next) {
    const offers = log.gap_seq === first.seq ? log.gap_offers + 1 : 1;
    if (offers < GAP_PATIENCE) {
      const position = { ...log, gap_seq: first.seq, gap_offers: offers };
      return { outcome: { kind: 'gap', nextSeq: next }, position, lines: [], commands: [] };
    }
    missing += first.seq - next;
    next = first.seq;
    last = first.prev;
  }
  const begin = next;
  const added: { seq: number; line: string }[] = [];
  const commands: CommandOutcome[] = [];
  for (const [index, event] of batch.events.entries()) {
    const { seq, prev } = event;
    const line = lines[index] as string;
    if (seq !== first.seq + index) {
      return broken('events_out_of_order', `expected seq ${first.seq + index}, found ${seq}`);
    }
    if (seq < begin) {
      const before = kept.get(seq);
      if (before === undefined || before === line) continue;
      return broken('event_changed', `event ${seq} of this log was another one when it was first sent`);
    }
    if (prev !== last) {
      return broken(
        'chain_broken',
        `expected "prev" of event ${seq} to be ${last}, the SHA-256 of the line before, found ${prev}`,
      );
    }
    added.push({ seq, line });
    const said = commandOutcome(event);
    if (said !== null) commands.push(said);
    last = createHash('sha256').update(line).digest('hex');
    next = seq + 1;
  }
  return {
    outcome: { kind: 'taken', nextSeq: next, added: next - begin },
    position: { next_seq: next, last_hash: last, gap_seq: null, gap_offers: 0, missing },
    lines: added,
    commands,
  };
}

/** What an event says came of a command; null when it says nothing of that. */
export function commandOutcome(event: ReceivedBatch['events'][number]): CommandOutcome | null {
  const { reason, command_id, severity, time: at, message, version = null } = event;
  if (reason !== 'CommandDone' || command_id === undefined) return null;
  // The sentence begins with the command's name, which whoever reads it here has before them.
  const prefix = `command ${command_id}: `;
  const said = message.startsWith(prefix) ? message.slice(prefix.length) : message;
  return {
    command_id,
    outcome: severity === 'info' ? 'done' : 'failed',
    at,
    message: cut(said, OUTCOME_MAX),
    version: version === null ? null : cut(version, OUTCOME_VERSION_MAX),
  };
}

/** Lists show hundreds of them. */
function cut(text: string, most: number): string {
  return (text.length <= most ? text : `${text.slice(0, most - 1)}…`).toWellFormed();
}

function unwritten(outcome: Appended): EventStep<Appended> {
  return { outcome, position: null, lines: [], commands: [] };
}

function broken(code: string, message: string): EventStep<Appended> {
  return unwritten({ kind: 'broken', code, message });
}
