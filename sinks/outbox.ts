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
import type { RunReport } from '../schemas/run.ts';
import type { Status } from '../schemas/status.ts';
import { UPLOAD_REQUEST_FILE, type UploadJob } from '../schemas/upload.ts';
import type { Log } from '../system/log.ts';
import type { Post, ReportSender } from './delivery.ts';
import { createDeliveryLane, type DeliveryLane } from './delivery-lane.ts';
import { createEventsSender } from './events-report.ts';
import { createNotifySender } from './notify.ts';
import { createStatusReport } from './status-report.ts';
import type { UploadCall } from './upload-call.ts';
import { createUploadSender, type UploadConsent } from './upload-sender.ts';

export interface OutboxOptions {
  readonly queue: ReportQueue;
  readonly history: EventHistory;
  /** Where a parked report and a retry on command are said. */
  readonly events: EventSink;
  readonly documents: Pick<StateDocuments, 'read' | 'write'>;
  /** How to reach the SaaS (saas-client.ts), asked before every attempt; null keeps the reports and sends nothing. */
  readonly post: () => Post | null;
  readonly statusProvider: () => Status;
  /** Files beside the reports; without it none are sent. */
  readonly uploads?: UploadOptions;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly log: Log;
}

export interface UploadOptions {
  readonly consent: UploadConsent & {
    /** A report was taken, and this was the answer: places for its outputs, perhaps. Throws when the queue cannot be written. */
    offered(report: RunReport, answer: string): void;
    /** An upload is over and forgotten: its copy can go. Never throws. */
    forget(job: UploadJob): void;
    /** Says that a file is kept back. */
    tellRefused(job: UploadJob, reason: string): void;
  };
  readonly target: () => { readonly call: UploadCall; readonly saasUrl: string } | null;
  /** For tests. */
  readonly pieceBytes?: number;
  readonly stumbleMs?: number;
}

export interface Outbox extends ReportSink {
  /** Something in the status changed that is neither a condition nor a version: reported within 10 s. */
  statusTouched(): void;
  /** Events were written: give this to the event log's `onAppend`. */
  eventsWritten(): void;
  /** Files were queued: they are sent soon, at once when a person asked. */
  uploadsQueued(asked: boolean): void;
  /** Begins to try each upload that is due once, in a process that is no daemon; `flushOnce` waits for it. */
  sendUploads(): void;
  /** Ends what `sendUploads` began; what was sent stays sent. */
  stopUploads(): Promise<void>;
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
/** Files that wait, parked ones too. */
export const UPLOADS_MAX = 1_000;

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

  const { uploads } = options;
  const lane = (
    sender: ReportSender,
    onDelivered: (report: QueuedReport) => void = () => {},
    onParked: (report: QueuedReport, message: string) => void = (report, message) =>
      tellParked(sender.describe(report), report, message),
  ): DeliveryLane =>
    createDeliveryLane({
      sender,
      queue,
      post,
      clock,
      chance,
      log,
      onDelivered,
      onParked,
    });
  const tellParked = (what: string, report: QueuedReport, message: string) => {
    events.emit({
      severity: 'warning',
      reason: 'ReportParked',
      message: `The SaaS refused ${what}, which is kept: ${message}; \`edge-agent retry\` sends it again.`,
      ...(report.kind === 'notify' ? { run_id: runOf(report) } : {}),
    });
  };

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
  const notifyLane = lane(createNotifySender((report, answer) => uploads?.consent.offered(report, answer)));
  const statusLane = lane(status.sender);
  const eventsLane = lane(eventsSender, () => {
    owed = false;
    // More may have been written while the last batch was on its way.
    owe();
  });
  const uploadLane =
    uploads === undefined
      ? null
      : lane(
          createUploadSender({ ...uploads, events, clock }),
          (report) => uploads.consent.forget(report.body as UploadJob),
          (report, message) => uploads.consent.tellRefused(report.body as UploadJob, message),
        );
  const lanes = [notifyLane, statusLane, eventsLane, ...(uploadLane === null ? [] : [uploadLane])];
  /** What `sendUploads` began. */
  let sending: { readonly stop: AbortController; readonly done: Promise<void> } | null = null;
  const stopUploads = async () => {
    sending?.stop.abort(new Error('the command ends'));
    await sending?.done;
  };
  const resetAll = () => {
    for (const each of lanes) each.reset();
  };

  return {
    run(report) {
      const key = `${report.run_id}.${report.attempt}`;
      queue.add({ kind: 'notify', key, body: report, at: clock.now() });
      notifyLane.wake();
      if (uploads === undefined || !report.outputs.some(({ name }) => name === UPLOAD_REQUEST_FILE)) return;
      const { run_id, attempt, flow } = report;
      const body: UploadJob = { kind: 'request', run_id, attempt, flow };
      if (queue.overview({ kind: 'upload', limit: UPLOADS_MAX }).length >= UPLOADS_MAX) {
        uploads.consent.tellRefused(body, `queue_full: expected fewer than ${UPLOADS_MAX} files to wait`);
        return;
      }
      queue.add({ kind: 'upload', key: `request/${key}`, body, at: clock.now() });
      uploadLane?.wake();
    },
    statusChanged: () => status.changed(),
    statusTouched: () => status.touched(),
    eventsWritten: owe,
    uploadsQueued: (asked) => (asked ? uploadLane?.reset() : uploadLane?.wake()),
    sendUploads() {
      if (uploadLane === null || sending !== null) return;
      const stop = new AbortController();
      const done = uploadLane
        .once(stop.signal)
        .catch(() => {})
        .finally(() => {
          sending = null;
        });
      sending = { stop, done };
    },
    stopUploads,
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
      const reports = lanes.filter((each) => each !== uploadLane);
      await Promise.all(reports.map((each) => each.once(stop.signal)));
      // The answers to the reports may have asked for files. What is cut short is taken up where it stands.
      if (sending === null) await uploadLane?.once(stop.signal).catch(() => {});
      else await Promise.race([sending.done, deadline]);
      await stopUploads();
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
