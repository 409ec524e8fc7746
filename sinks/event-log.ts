import type { Chance, Clock, EventHistory, EventSink, StateDocuments } from '../reconciler/ports.ts';
import type { Event, EventDraft } from '../schemas/event.ts';
import type { Log } from '../system/log.ts';
import { scrubText } from '../system/redaction.ts';
import { openRotatingFile } from '../system/rotating-file.ts';
import { createEventBacklog, type WaitingEvent } from './event-backlog.ts';
import { type ChainHead, FIRST_PREV, frameEvent, headAfter, saysTheSame } from './event-chain.ts';
import { createEventReader } from './event-reader.ts';
import { openingOf } from './event-recovery.ts';
import {
  type ChainVerdict,
  EVENT_LOG_EXTENSION,
  EVENT_LOG_NAME,
  scanFile,
  verifyEventLog,
} from './event-verify.ts';
import { createGroupedSync } from './grouped-sync.ts';

export interface EventLogOptions {
  /** The state directory; made 0700 when it is not there. */
  readonly directory: string;
  readonly tenant: string;
  readonly agentId: () => string | null;
  /** Remembers the end of the log, so that a log that was cut or replaced is found out. */
  readonly documents?: Pick<StateDocuments, 'read' | 'write'>;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly log: Log;
  /** Takes known secrets out of a text before it is written; what is a credential by its shape goes in any case. */
  readonly scrub?: (text: string) => string;
  /** Default 10 MiB a file. */
  readonly maxBytes?: number;
  /** Default 10 files. */
  readonly maxFiles?: number;
  /** The lowest `seq` somebody still has to take; a file that holds it stays, up to HARD_BOUND × maxFiles. Default: nobody waits. */
  readonly keepFrom?: () => number;
  /** An event that is on disk now. */
  readonly onAppend?: (event: Event) => void;
}

export interface EventLog extends EventSink, EventHistory {
  /** Everything emitted so far is on disk when it returns, unless the disk is full. */
  flush(): void;
  /** Events from `from` on, as they are written, until the signal aborts; then it ends. */
  follow(from: number, signal: AbortSignal): AsyncIterable<Event>;
  /** Follows the chain through all files, the last line included. */
  verify(signal?: AbortSignal): Promise<ChainVerdict>;
  close(): void;
}

/** Undelivered events may take this many times `maxFiles` before the oldest go all the same. */
const HARD_BOUND = 5;
const REMEMBER_EVERY_MS = 60_000;
/** Key of the document that remembers the end of the log. */
const EVENT_LOG_DOCUMENT = 'event_log';

/**
 * The reconciliation history: `events.jsonl`, a hash chain (contract, section 9).
 *
 * `emit` writes at once; a single event is on disk (fdatasync) when it returns, in a burst the last few are up to some
 * milliseconds later (grouped-sync.ts). What a crash can take is the end, never a middle, and nobody has seen it: `read`,
 * `tail`, `follow` and `onAppend` show only what is on disk. A full disk keeps up to 1,000 events in memory for the
 * next try (event-backlog.ts); what is lost beyond that is said by an `EventsDropped` event. A count of repetitions that no
 * other event has followed yet is lost with the process.
 */
export function openEventLog(options: EventLogOptions): EventLog {
  const { directory, clock, chance, log, documents } = options;
  const maxFiles = options.maxFiles ?? 10;
  const more = options.scrub ?? ((text: string) => text);
  const scrub = (text: string) => more(scrubText(text));

  const identity = () => `${options.tenant}/${options.agentId() ?? ''}`;
  const opening = openingOf(directory, documents?.read(EVENT_LOG_DOCUMENT), identity());
  let head: ChainHead = opening.head ?? { logId: chance.uuidv7(), seq: 1, prev: FIRST_PREV };
  /** First event of every file, aligned with `file.files()`. */
  let firsts: { logId: string; seq: number }[] = [];

  let last: EventDraft | null = null;
  let repeated = 0;
  let rememberedAt = Number.NEGATIVE_INFINITY;
  let rememberedPrev = opening.rememberedPrev;
  const written: Event[] = [];
  const followers = new Set<() => void>();

  const file = openRotatingFile({
    directory,
    name: EVENT_LOG_NAME,
    extension: EVENT_LOG_EXTENSION,
    maxBytes: options.maxBytes ?? 10 * 1024 * 1024,
    maxFiles,
    durable: true,
    mayDrop(_oldest, count) {
      // While it opens: what is beyond `maxFiles` then is of a log that was cut.
      if (firsts.length === 0) return true;
      const next = firsts[1] ?? { logId: head.logId, seq: head.seq };
      const until = next.logId === head.logId ? next.seq : 0;
      const from = options.keepFrom?.() ?? Number.POSITIVE_INFINITY;
      if (until > from) {
        if (count <= HARD_BOUND * maxFiles) return false;
        const begin = Math.max(from, firsts[0]?.seq ?? from);
        backlog.note(
          `Events ${begin} to ${until - 1} were dropped before the SaaS took them: expected at most ${HARD_BOUND * maxFiles} files of events, found more; check that saas_url can be reached.`,
        );
      }
      firsts.shift();
      return true;
    },
  });
  // A new log begins with a new file.
  const beginsAnew = opening.head === null && file.size() > 0;
  if (beginsAnew) file.rotate();
  firsts = file.files().map(firstOf);
  // The empty file gets its entry with its first event.
  if (beginsAnew) firsts.pop();

  const remember = () => {
    rememberedAt = clock.monotonicMs();
    if (documents === undefined || rememberedPrev === head.prev) return;
    try {
      documents.write(EVENT_LOG_DOCUMENT, {
        log_id: head.logId,
        seq: head.seq,
        prev: head.prev,
        identity: identity(),
      });
      rememberedPrev = head.prev;
    } catch (error) {
      log.warn('The end of the event log could not be remembered', { error });
    }
  };

  const announce = () => {
    const events = written.splice(0);
    if (events.length === 0) return;
    if (clock.monotonicMs() - rememberedAt >= REMEMBER_EVERY_MS) remember();
    try {
      for (const event of events) options.onAppend?.(event);
    } catch (error) {
      log.error('A listener of the event log failed', { error });
    }
    for (const wake of followers) wake();
  };
  const sync = createGroupedSync({
    sync: () => file.sync(),
    synced: announce,
    failed: (error) => log.error('Events may not be on disk: fdatasync of events.jsonl failed', { error }),
  });

  const append = (entry: WaitingEvent) => {
    const event = frameEvent(entry.draft, head, {
      time: entry.time,
      tenant: options.tenant,
      agentId: options.agentId(),
      repeated: entry.repeated,
    });
    const line = Buffer.from(JSON.stringify(event));
    const { rotated } = file.append(Buffer.concat([line, NEWLINE]));
    const beginsFile = file.size() === line.length + 1;
    if (beginsFile) {
      if (!rotated) firsts.pop();
      firsts.push({ logId: event.log_id, seq: event.seq });
    }
    head = headAfter(head.logId, head.seq, line);
    if (rotated) remember();
    written.push(event);
    sync.wrote();
  };

  const backlog = createEventBacklog({ append, clock, log });
  const flush = () => {
    backlog.drain();
    sync.now();
  };
  const reader = createEventReader({
    files: () => file.files().map((name, index) => ({ file: name, first: firsts[index] ?? firstOf(name) })),
    logId: () => head.logId,
  });
  const read = (from: number, limit: number): Event[] => {
    flush();
    return reader.read(from, limit);
  };

  const emit = (draft: EventDraft) => {
    const clean = { ...draft, message: scrub(draft.message) };
    if (draft.because !== undefined) clean.because = scrub(draft.because);
    if (last !== null && saysTheSame(last, clean)) {
      repeated += 1;
      return;
    }
    // What was lost cannot be repeated.
    last = backlog.add({ draft: clean, time: clock.now(), repeated }) ? clean : null;
    repeated = 0;
    backlog.drain();
  };

  remember();
  // Written with the first event or read: until then nobody is asked `keepFrom` or told `onAppend`.
  for (const draft of opening.findings) backlog.add({ draft, time: clock.now(), repeated: 0 });

  return {
    get logId() {
      return head.logId;
    },
    nextSeq: () => head.seq,
    emit,
    flush,
    read: async (from, limit) => read(from, limit),
    async tail(count) {
      flush();
      return read(Math.max(1, head.seq - count), count);
    },
    async *follow(from, signal) {
      let next = from;
      while (!signal.aborted) {
        const changed = Promise.withResolvers<void>();
        const wake = () => changed.resolve();
        followers.add(wake);
        signal.addEventListener('abort', wake, { once: true });
        try {
          const events = read(next, FOLLOW_BATCH);
          for (const event of events) {
            if (signal.aborted) return;
            next = event.seq + 1;
            yield event;
          }
          if (events.length === 0) await changed.promise;
        } finally {
          followers.delete(wake);
          signal.removeEventListener('abort', wake);
        }
      }
    },
    verify(signal) {
      flush();
      return verifyEventLog(directory, { expected: head, signal });
    },
    close() {
      flush();
      remember();
      sync.close();
      file.close();
    },
  };
}

const NEWLINE = Buffer.from('\n');
const FOLLOW_BATCH = 100;

function firstOf(file: string): { logId: string; seq: number } {
  const head = scanFile(file, 1).head;
  return head === null ? { logId: '', seq: 0 } : { logId: head.logId, seq: head.seq - 1 };
}
