import { createHash } from 'node:crypto';
import { Event, type EventDraft } from '../schemas/event.ts';

/** `prev` of the first event of a log (contract, section 9). */
export const FIRST_PREV = '0'.repeat(64);

/** The place of the next event: what has to be known to write it, or to check it. */
export interface ChainHead {
  readonly logId: string;
  /** Of the next event. */
  readonly seq: number;
  /** SHA-256 of the line before, without its newline. */
  readonly prev: string;
}

/** Longer texts are cut, so that a line stays within LINE_MAX_BYTES and a batch within its cap even in JSON escapes. */
const MESSAGE_MAX_CHARS = 4_096;
const FIELD_MAX_CHARS = 256;

export interface EventFrame {
  readonly time: Date;
  readonly tenant: string;
  readonly agentId: string | null;
  /** How often the event before happened again; 0 when it did not. */
  readonly repeated: number;
}

/** The event at the chain's head, its members in the contract's order: the line's bytes are what the chain hashes. */
export function frameEvent(draft: EventDraft, head: ChainHead, frame: EventFrame): Event {
  const { revision, flow, version, run_id, command_id, because } = draft;
  return {
    log_id: head.logId,
    seq: head.seq,
    time: frame.time.toISOString(),
    tenant: frame.tenant,
    agent_id: frame.agentId,
    severity: draft.severity,
    reason: draft.reason,
    message: cut(draft.message, MESSAGE_MAX_CHARS),
    ...(revision === undefined ? {} : { revision: cut(revision, FIELD_MAX_CHARS) }),
    ...(flow === undefined ? {} : { flow }),
    ...(version === undefined ? {} : { version: cut(version, FIELD_MAX_CHARS) }),
    ...(run_id === undefined ? {} : { run_id }),
    ...(command_id === undefined ? {} : { command_id }),
    ...(because === undefined ? {} : { because: cut(because, MESSAGE_MAX_CHARS) }),
    ...(frame.repeated === 0 ? {} : { repeated: frame.repeated }),
    prev: head.prev,
  };
}

/** The head after a line (without its newline) whose event is `seq`. */
export function headAfter(logId: string, seq: number, line: Uint8Array): ChainHead {
  return { logId, seq: seq + 1, prev: createHash('sha256').update(line).digest('hex') };
}

/** The event in a line, or one sentence on why there is none. */
export function parseLine(line: Buffer): Event | string {
  let document: unknown;
  try {
    document = JSON.parse(line.toString('utf8'));
  } catch {
    return 'expected one JSON object on the line, found something else';
  }
  const parsed = Event.safeParse(document);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  return `expected an event, found a wrong "${issue?.path.join('.') ?? ''}": ${issue?.message ?? ''}`;
}

/**
 * Whether a line continues the chain; null when it does, else one sentence. A log may begin anew (another `log_id`, `seq` 1)
 * where `mayBegin` says so. Without a head only the line itself is looked at: rotation dropped what came before.
 */
export function faultOf(event: Event, head: ChainHead | null, mayBegin: boolean): string | null {
  if (head === null || (mayBegin && event.log_id !== head.logId)) {
    if (event.seq === 1 && event.prev !== FIRST_PREV)
      return `expected 64 zeros as "prev" of the first event, found ${event.prev}`;
    if (event.seq !== 1 && head !== null) return `expected a new log to begin with seq 1, found ${event.seq}`;
    return null;
  }
  if (event.log_id !== head.logId) return `expected log_id ${head.logId}, found ${event.log_id}`;
  if (event.seq !== head.seq) return `expected seq ${head.seq}, found ${event.seq}`;
  if (event.prev !== head.prev)
    return `expected "prev" ${head.prev}, the SHA-256 of the line before, found ${event.prev}`;
  return null;
}

/** Whether two drafts say the same: then the second is counted, not written. */
export function saysTheSame(a: EventDraft, b: EventDraft): boolean {
  return (
    a.severity === b.severity &&
    a.reason === b.reason &&
    a.message === b.message &&
    a.revision === b.revision &&
    a.flow === b.flow &&
    a.version === b.version &&
    a.run_id === b.run_id &&
    a.command_id === b.command_id
  );
}

function cut(text: string, max: number): string {
  return (text.length <= max ? text : `${text.slice(0, max - 1)}…`).toWellFormed();
}
