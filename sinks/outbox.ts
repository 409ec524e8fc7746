import type {
  Chance,
  Clock,
  EventHistory,
  EventSink,
  QueuedReport,
  ReportQueue,
  ReportSink,
  StateDocuments,
} from '../reconciler/ports.ts';
import type { Status } from '../schemas/status.ts';
import type { Log } from '../system/log.ts';
import type { Post, ReportSender } from './delivery.ts';
import { createDeliveryLane, type DeliveryLane } from './delivery-lane.ts';
import { createEventsSender } from './events-report.ts';
import { createNotifySender } from './notify.ts';
import { createStatusReport } from './status-report.ts';

export interface OutboxOptions {
  readonly queue: ReportQueue;
  readonly history: EventHistory;
  /** Where a parked report and a retry on command are said. */
  readonly events: EventSink;
  readonly documents: Pick<StateDocuments, 'read' | 'write'>;
  /** How to reach the SaaS (saas-client.ts), asked before every attempt; null keeps the reports and sends nothing. */
  readonly post: () => Post | null;
  readonly statusProvider: () => Status;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly log: Log;
}

export interface Outbox extends ReportSink {
  /** Something in the status changed that is neither a condition nor a version: reported within 10 s. */
  statusTouched(): void;
  /** Events were written: give this to the event log's `onAppend`. */
  eventsWritten(): void;
  /** What the event log's `keepFrom` asks: the lowest `seq` the SaaS has not taken. */
  eventsTakenBefore(): number;
  /** The daemon's part: delivers until the signal aborts, and reports the status when it is due. */
  deliver(signal: AbortSignal): Promise<void>;
  /** For a command without a daemon: tries each due report once, for `deadlineMs` (default 5,000) at most. */
  flushOnce(options?: { deadlineMs?: number; signal?: AbortSignal }): Promise<void>;
  /** On command: parked reports are due again; how many. */
  retryParked(): number;
  /** Everything that waits is due at once, whatever failed before: the configuration or the network changed. */
  hurry(): void;
}

const FLUSH_DEADLINE_MS = 5_000;

/**
 * Reports to the SaaS from one durable queue (contract, section 7): at least once, for days, across restarts. Every kind has
 * a lane of its own with at most one request on its way, so no destination blocks another. `run` throws when the database
 * cannot be written: whoever finishes a run does it in one transaction with the run. The rest never throws.
 */
export function createOutbox(options: OutboxOptions): Outbox {
  const { queue, history, clock, chance, log, post, events } = options;
  const eventsSender = createEventsSender({ history, documents: options.documents, log });
  const status = createStatusReport({
    queue,
    provider: options.statusProvider,
    clock,
    log,
    queued: () => statusLane.wake(),
  });

  const lane = (sender: ReportSender, onDelivered: () => void = () => {}): DeliveryLane =>
    createDeliveryLane({
      sender,
      queue,
      post,
      clock,
      chance,
      log,
      onDelivered,
      onParked(report, message) {
        events.emit({
          severity: 'warning',
          reason: 'ReportParked',
          message: `The SaaS refused ${sender.describe(report)}, which is kept: ${message}; \`edge-agent retry\` sends it again.`,
          ...(report.kind === 'notify' ? { run_id: runOf(report) } : {}),
        });
      },
    });

  /** True while the queue is known to have its row for events: it has one exactly while the SaaS is behind. */
  let owed = false;
  const owe = () => {
    if (owed || !eventsSender.behind()) return;
    try {
      queue.add({ kind: 'events', key: `events/${history.logId}`, body: {}, at: clock.now() });
      owed = true;
      eventsLane.wake();
    } catch (error) {
      log.error('Events wait for the next one: the outbox could not be written', { error });
    }
  };
  const notifyLane = lane(createNotifySender());
  const statusLane = lane(status.sender);
  const eventsLane = lane(eventsSender, () => {
    owed = false;
    // More may have been written while the last batch was on its way.
    owe();
  });
  const lanes = [notifyLane, statusLane, eventsLane];
  const resetAll = () => {
    for (const each of lanes) each.reset();
  };

  return {
    run(report) {
      const key = `${report.run_id}.${report.attempt}`;
      queue.add({ kind: 'notify', key, body: report, at: clock.now() });
      notifyLane.wake();
    },
    statusChanged: () => status.changed(),
    statusTouched: () => status.touched(),
    eventsWritten: owe,
    eventsTakenBefore: () => (post() === null ? Number.POSITIVE_INFINITY : eventsSender.nextSeq()),
    async deliver(signal) {
      owe();
      await Promise.all([status.run(signal), ...lanes.map((each) => each.run(signal))]);
    },
    async flushOnce({ deadlineMs = FLUSH_DEADLINE_MS, signal } = {}) {
      owe();
      const stop = new AbortController();
      const onAbort = () => stop.abort(signal?.reason);
      if (signal?.aborted) onAbort();
      signal?.addEventListener('abort', onAbort, { once: true });
      const deadline = clock.sleep(deadlineMs, stop.signal).then(
        () => stop.abort(new Error(`expected every report to be tried within ${deadlineMs} ms`)),
        () => {},
      );
      await Promise.all(lanes.map((each) => each.once(stop.signal)));
      stop.abort();
      await deadline;
      signal?.removeEventListener('abort', onAbort);
    },
    retryParked() {
      const count = queue.unpark(clock.now());
      if (count > 0) {
        const message = `${count === 1 ? 'One parked report is' : `${count} parked reports are`} sent again.`;
        events.emit({ severity: 'info', reason: 'ReportRetried', message });
      }
      resetAll();
      return count;
    },
    hurry() {
      queue.hurry(clock.now());
      resetAll();
    },
  };
}

function runOf(report: QueuedReport): string {
  return report.key.replace(/\.\d+$/, '');
}
