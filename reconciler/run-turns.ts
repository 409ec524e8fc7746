import type { Clock, RunRecord, RunSettings, RunStore, VersionStore } from './ports.ts';
import type { AgentRecords } from './records.ts';
import type { QueuedRun, RunQueue } from './run-queue.ts';
import { heldLease, leaseOf, type RunLease, runVersion } from './run-version.ts';
import type { RunWork } from './run-work.ts';

/** After a run that could not begin because of this machine. */
const AGAIN_AFTER_MS = 5_000;

export interface RunTurnParts {
  readonly runs: Pick<RunStore, 'get'>;
  readonly store: Pick<VersionStore, 'current'>;
  readonly records: Pick<AgentRecords, 'flow'>;
  readonly settings: () => Pick<RunSettings, 'concurrency'>;
  readonly clock: Pick<Clock, 'sleep'>;
  readonly onFault: (error: unknown) => void;
}

/** Takes runs out of the queue while there are slots, and lets them begin in the version that is theirs by then. */
export interface RunTurns {
  /** Looks, as soon as what is under way has returned; once for a whole burst of calls. */
  soon(): void;
  /** Nothing begins any more. */
  stop(): void;
}

export function createRunTurns(parts: RunTurnParts, queue: RunQueue, work: () => RunWork): RunTurns {
  const stopping = new AbortController();
  let called = false;
  let pausing = false;

  function soon(): void {
    if (called) return;
    called = true;
    queueMicrotask(() => {
      called = false;
      try {
        look();
      } catch (error) {
        parts.onFault(error);
      }
    });
  }

  function look(): void {
    const room = () => work().counts().running < parts.settings().concurrency;
    while (!pausing && !stopping.signal.aborted && room()) {
      const next = queue.next();
      if (next === null) return;
      try {
        begin(next);
      } catch (error) {
        queue.putBack(next);
        pause();
        throw error;
      }
    }
  }

  function begin(next: QueuedRun): void {
    const run = parts.runs.get(next.runId);
    if (run?.state !== 'queued') {
      queue.release(next.runId);
      return;
    }
    const lease = leaseFor(run);
    if (typeof lease !== 'string' && lease.spec.lock !== next.lock) queue.putBack(next, lease.spec.lock);
    else work().begin(run, lease);
  }

  function leaseFor(run: RunRecord): RunLease | string {
    const held = heldLease(run);
    if (held !== null) return held;
    const chosen = runVersion(parts, run.flow, run.path === null ? undefined : (run.version ?? undefined));
    return typeof chosen === 'string' ? chosen : leaseOf(chosen);
  }

  /** The store cannot be read or written: what is next would fare as this one did. */
  function pause(): void {
    pausing = true;
    const over = () => {
      pausing = false;
      soon();
    };
    parts.clock.sleep(AGAIN_AFTER_MS, stopping.signal).then(over, () => {});
  }

  return { soon, stop: () => stopping.abort(new Error('the agent ends')) };
}
