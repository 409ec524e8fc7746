import type { Clock, ReportQueue } from '../reconciler/ports.ts';
import type { Status } from '../schemas/status.ts';
import type { Log } from '../system/log.ts';
import { judge, type ReportSender } from './delivery.ts';
import { createWakeUp } from './wake-up.ts';

const STATUS_PATH = '/edge/status';
/** The least time between two reports that no change of conditions or versions asked for. */
const STATUS_GAP_MS = 10_000;
/** A report is due after so long without one. */
const STATUS_PERIOD_MS = 5 * 60_000;

export interface StatusReport {
  readonly sender: ReportSender;
  /** Conditions or versions changed: reported at once. */
  changed(): void;
  /** Something else did: reported at once when the last report is STATUS_GAP_MS old, else then. */
  touched(): void;
  /** Reports when the time has come, until the signal aborts. Reports at once when it starts. */
  run(signal: AbortSignal): Promise<void>;
}

/** `POST /edge/status` (contract, sections 7 and 9): only the newest waits, and what is sent is as it is at that moment. */
export function createStatusReport(options: {
  queue: ReportQueue;
  provider: () => Status;
  clock: Clock;
  log: Log;
  /** A report is in the queue. */
  queued: () => void;
}): StatusReport {
  const { queue, provider, clock, log, queued } = options;
  const wakeUp = createWakeUp(clock);
  let lastMs = Number.NEGATIVE_INFINITY;
  let waiting = false;

  const enqueue = () => {
    lastMs = clock.monotonicMs();
    waiting = false;
    try {
      // Only that a status is owed: a thousand flows that become active would each write all thousand.
      queue.add({ kind: 'status', key: 'status', body: {}, at: clock.now(), replace: true });
      queued();
    } catch (error) {
      log.error('The status waits for the next report: it could not be queued', { error });
    }
    wakeUp.now();
  };
  const dueInMs = () => lastMs + (waiting ? STATUS_GAP_MS : STATUS_PERIOD_MS) - clock.monotonicMs();

  return {
    changed: enqueue,
    touched() {
      waiting = true;
      if (dueInMs() <= 0) enqueue();
      else wakeUp.now();
    },
    async run(signal) {
      while (!signal.aborted) {
        const waitMs = dueInMs();
        if (waitMs <= 0) enqueue();
        else await wakeUp.within(waitMs, signal).catch(() => {});
      }
    },
    sender: {
      kind: 'status',
      describe: () => 'the status',
      async send(_report, post, signal) {
        return judge(STATUS_PATH, await post(STATUS_PATH, withoutItself(provider()), {}, signal));
      },
    },
  };
}

/** The report waits in the queue while it is sent: to whoever reads it, it is not one that waits. */
function withoutItself(status: Status): Status {
  const { outbox } = status;
  const pending = Math.max(0, outbox.pending - 1);
  return {
    ...status,
    outbox: { ...outbox, pending, oldest_at: pending === 0 ? null : outbox.oldest_at },
  };
}
