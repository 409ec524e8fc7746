import { z } from 'zod';
import type { EventHistory, StateDocuments } from '../reconciler/ports.ts';
import { EVENT_BATCH_MAX, type Event, EventBatchAnswer } from '../schemas/event.ts';
import { Id } from '../schemas/names.ts';
import type { Log } from '../system/log.ts';
import { type Delivery, excerpt, judge, type ReportSender } from './delivery.ts';

const EVENTS_PATH = '/edge/events';
/** A batch is cut below this, in bytes of JSON. */
const EVENT_BATCH_MAX_BYTES = 1024 * 1024;
/** Key of the document that remembers what the SaaS wants next. */
export const EVENTS_CURSOR_DOCUMENT = 'outbox/events';

const Cursor = z.object({ log_id: Id, next_seq: z.int().min(1) });

export interface EventsSender extends ReportSender {
  /** The lowest `seq` the SaaS has not taken: 1 in a new log. */
  nextSeq(): number;
  /** True when the log has events the SaaS has not taken. */
  behind(): boolean;
}

/**
 * `POST /edge/events` (contract, section 7): the log itself is the queue and the durable cursor says where it goes on; the
 * row in the report queue only says that there is something to send. The answer's `next_seq` moves the cursor, also back
 * when the SaaS has lost some, and never beyond the log.
 */
export function createEventsSender(options: {
  history: EventHistory;
  documents: Pick<StateDocuments, 'read' | 'write'>;
  log: Log;
}): EventsSender {
  const { history, documents, log } = options;
  let known: z.infer<typeof Cursor> | null =
    Cursor.safeParse(documents.read(EVENTS_CURSOR_DOCUMENT)).data ?? null;
  /** The SaaS was followed back once since it last took something: twice would be a circle. */
  let wentBack = false;

  const cursor = (): number => (known?.log_id === history.logId ? known.next_seq : 1);
  const move = (next: number) => {
    if (next === cursor() && known?.log_id === history.logId) return;
    known = { log_id: history.logId, next_seq: next };
    documents.write(EVENTS_CURSOR_DOCUMENT, known);
  };

  const advance = (logId: string, events: readonly Event[], body: string): Delivery => {
    // A new log began meanwhile: the answer is about the old one.
    if (logId !== history.logId) return { kind: 'more' };
    const next = nextSeqIn(body);
    if (next === null) {
      const message = `POST ${EVENTS_PATH}: expected {"next_seq": …} in the answer, found${excerpt(body) || ' nothing'}`;
      return { kind: 'again', message, retryAfterMs: null };
    }
    const first = events[0]!.seq;
    if (next > history.nextSeq()) {
      log.warn('The SaaS has more events of this log than there are here', {
        log_id: logId,
        expected_at_most: history.nextSeq(),
        found: next,
      });
    }
    move(Math.min(next, history.nextSeq()));
    if (next > first) {
      wentBack = false;
      return cursor() < history.nextSeq() ? { kind: 'more' } : { kind: 'delivered' };
    }
    if (next < first && !wentBack) {
      wentBack = true;
      return { kind: 'more' };
    }
    wentBack = false;
    const message = `POST ${EVENTS_PATH}: expected the SaaS to go on from event ${first}, found that it asks for ${next} again`;
    return { kind: 'again', message, retryAfterMs: null };
  };

  return {
    kind: 'events',
    nextSeq: cursor,
    behind: () => cursor() < history.nextSeq(),
    describe: () => `the events from ${cursor()} on`,
    async send(_report, post, signal) {
      const logId = history.logId;
      const events = withinBytes(await history.read(cursor(), EVENT_BATCH_MAX));
      if (events.length === 0) return { kind: 'delivered' };
      const answer = await post(EVENTS_PATH, { log_id: logId, events }, {}, signal);
      const delivery = judge(EVENTS_PATH, answer);
      if (delivery.kind !== 'delivered' || answer.kind !== 'answer') return delivery;
      return advance(logId, events, answer.body);
    },
  };
}

function nextSeqIn(body: string): number | null {
  try {
    return EventBatchAnswer.parse(JSON.parse(body)).next_seq;
  } catch {
    return null;
  }
}

/** As many from the beginning as fit; one event always does (event-chain.ts cuts its texts). */
function withinBytes(events: readonly Event[]): Event[] {
  let bytes = 128;
  const batch: Event[] = [];
  for (const event of events) {
    bytes += Buffer.byteLength(JSON.stringify(event)) + 1;
    if (bytes > EVENT_BATCH_MAX_BYTES && batch.length > 0) break;
    batch.push(event);
  }
  return batch;
}
