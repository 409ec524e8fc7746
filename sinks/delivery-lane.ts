import type { Chance, Clock, QueuedReport, ReportQueue } from '../reconciler/ports.ts';
import type { Log } from '../system/log.ts';
import { BACKOFF_MAX_MS, backoffMs, RETRY_AFTER_MAX_MS } from './backoff.ts';
import type { Delivery, Post, ReportSender } from './delivery.ts';
import { createWakeUp } from './wake-up.ts';

export interface LaneOptions {
  readonly sender: ReportSender;
  readonly queue: ReportQueue;
  /** Null while there is nobody to send to: reports are kept. */
  readonly post: () => Post | null;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly log: Log;
  readonly onDelivered: (report: QueuedReport) => void;
  readonly onParked: (report: QueuedReport, message: string) => void;
}

/** One destination: its reports one after the other, in the order they were made. */
export interface DeliveryLane {
  /** Delivers until the signal aborts; what is on its way then stays due. */
  run(signal: AbortSignal): Promise<void>;
  /** Tries every report that is due once, whatever became of the one before. */
  once(signal: AbortSignal): Promise<void>;
  /** Something new is in the queue. */
  wake(): void;
  /** Forgets the wait of a destination that failed. */
  reset(): void;
}

/** A stored time further away than any backoff was stored under another clock. */
const FARTHEST_MS = Math.max(BACKOFF_MAX_MS, RETRY_AFTER_MAX_MS);
/** Reports looked at for one that was tried less often; their bodies are in memory together. */
const CHOICE_MAX = 8;
/** Looks again after so long even when nothing is known to be due. */
const IDLE_MAX_MS = BACKOFF_MAX_MS;

/**
 * A destination that fails is left alone for its own backoff, then asked with one report; the report that failed waits for
 * its own. So a server that is down is not asked once per report, and one report it cannot take holds up nobody for long.
 */
export function createDeliveryLane(options: LaneOptions): DeliveryLane {
  const { sender, queue, clock, chance, log } = options;
  const wakeUp = createWakeUp(clock);
  let failures = 0;
  let closedUntilMs = Number.NEGATIVE_INFINITY;
  /** A failed report whose successors of the same group have to wait, so that a group arrives in order. */
  const held = new Map<string, { id: number; until: Date }>();

  /** What failed in an earlier life of the process holds its successors too. */
  let recalled = false;
  const recall = () => {
    if (recalled) return;
    for (const { id, key, until } of queue.postponed(sender.kind, clock.now())) {
      const group = groupOf({ key });
      if (!held.has(group)) held.set(group, { id, until });
    }
    recalled = true;
  };

  const settle = (report: QueuedReport, delivery: Exclude<Delivery, { kind: 'more' }>) => {
    const group = groupOf(report);
    switch (delivery.kind) {
      case 'delivered':
        queue.delivered(report.id);
        held.delete(group);
        if (failures > 0) log.info('The SaaS takes reports again', { kind: sender.kind });
        failures = 0;
        options.onDelivered(report);
        return;
      case 'parked':
        queue.park(report.id, delivery.message);
        held.delete(group);
        failures = 0;
        log.warn('The SaaS refused a report; it is kept', {
          kind: sender.kind,
          key: report.key,
          answer: delivery.message,
        });
        options.onParked(report, delivery.message);
        return;
      case 'again': {
        failures += 1;
        const attempts = report.attempts + 1;
        const waitMs = backoffMs(attempts, chance.uniform(), delivery.retryAfterMs);
        const until = new Date(clock.now().getTime() + waitMs);
        queue.postpone(report.id, attempts, until, delivery.message);
        held.set(group, { id: report.id, until });
        closedUntilMs = clock.monotonicMs() + backoffMs(failures, chance.uniform(), delivery.retryAfterMs);
        const say = failures === 1 ? log.warn : log.debug;
        say('A report was not taken; it is tried again later', {
          kind: sender.kind,
          key: report.key,
          attempts,
          retry_in_ms: waitMs,
          answer: delivery.message,
        });
      }
    }
  };

  /** Whether an earlier report of the same group failed and has to arrive first. One that is due is asked for before, or gone. */
  const waitsFor = (report: QueuedReport, due: readonly QueuedReport[] = []) => {
    const earlier = held.get(groupOf(report));
    if (earlier === undefined || earlier.id >= report.id) return null;
    const there = earlier.until > clock.now() || due.some(({ id }) => id === earlier.id);
    return there ? earlier : null;
  };

  /** One report, all parts of it. */
  const deliver = async (report: QueuedReport, post: Post, signal: AbortSignal) => {
    const earlier = waitsFor(report);
    if (earlier !== null) {
      // Counts no attempt.
      queue.postpone(
        report.id,
        report.attempts,
        earlier.until,
        'waits for an earlier report of the same run',
      );
      return;
    }
    for (;;) {
      const delivery = await sender.send(report, post, signal);
      if (delivery.kind !== 'more') {
        settle(report, delivery);
        return;
      }
      failures = 0;
    }
  };

  /**
   * The next report: of those that failed before, one that was tried less often goes first. What the destination can never
   * take must not be all that it is asked with.
   */
  const next = (): QueuedReport | undefined => {
    const [first] = queue.due(sender.kind, clock.now(), 1);
    if (first === undefined || first.attempts === 0) return first;
    const due = queue.due(sender.kind, clock.now(), CHOICE_MAX);
    return due
      .filter((report) => waitsFor(report, due) === null)
      .reduce((least, report) => (report.attempts < least.attempts ? report : least), first);
  };

  /** How long nothing can be due, in milliseconds. */
  const idleMs = (): number => {
    if (options.post() === null) return IDLE_MAX_MS;
    const dueAt = queue.nextDueAt(sender.kind);
    if (dueAt === null) return IDLE_MAX_MS;
    const now = clock.now();
    const dueInMs = dueAt.getTime() - now.getTime();
    if (dueInMs > FARTHEST_MS) {
      queue.hurry(now);
      return 0;
    }
    const openInMs = closedUntilMs - clock.monotonicMs();
    return Math.min(IDLE_MAX_MS, Math.max(0, dueInMs, openInMs));
  };

  return {
    wake: () => wakeUp.now(),
    reset() {
      failures = 0;
      closedUntilMs = Number.NEGATIVE_INFINITY;
      held.clear();
      wakeUp.now();
    },
    async run(signal) {
      while (!signal.aborted) {
        try {
          recall();
          const waitMs = idleMs();
          if (waitMs > 0) {
            await wakeUp.within(waitMs, signal);
            continue;
          }
          const post = options.post();
          const report = next();
          if (post !== null && report !== undefined) await deliver(report, post, signal);
        } catch (error) {
          if (signal.aborted) return;
          // The queue itself failed (a full disk): the report is still there, or comes twice, which is allowed.
          failures += 1;
          closedUntilMs = clock.monotonicMs() + backoffMs(failures, chance.uniform(), null);
          log.error('The outbox could not be read or written; it is tried again', {
            kind: sender.kind,
            error,
          });
          await wakeUp.within(closedUntilMs - clock.monotonicMs(), signal).catch(() => {});
        }
      }
    },
    async once(signal) {
      const post = options.post();
      if (post === null) return;
      const tried = new Set<number>();
      try {
        recall();
        while (!signal.aborted) {
          // What is tried is delivered, parked or postponed beyond now, so the next one comes to the front.
          const [report] = queue.due(sender.kind, clock.now(), 1);
          if (report === undefined || tried.has(report.id)) return;
          tried.add(report.id);
          await deliver(report, post, signal);
        }
      } catch (error) {
        if (!signal.aborted) log.error('The outbox could not be sent', { kind: sender.kind, error });
      }
    },
  };
}

/** Reports of one run arrive in order; the key of a run's report is `<run_id>.<attempt>`. */
function groupOf(report: Pick<QueuedReport, 'key'>): string {
  return report.key.replace(/\.\d+$/, '');
}
