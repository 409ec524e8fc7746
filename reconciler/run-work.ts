import type { Chance, Clock, EventSink, RunListener, RunRecord, RunResult, RunStore } from './ports.ts';
import { type AttemptParts, beginAttempt, type LeasedRun, retryDelayMs } from './run-attempt.ts';
import type { RunEnds } from './run-end.ts';
import { runEvent, unstarted } from './run-outcome.ts';
import type { RunQueue } from './run-queue.ts';
import type { RunLease } from './run-version.ts';
import { traceparent } from './traceparent.ts';
import { writeAgain } from './write-again.ts';

export interface RunWorkDeps extends AttemptParts {
  readonly runs: RunStore;
  readonly events: EventSink;
  readonly clock: Clock;
  readonly chance: Chance;
  /** Told of every attempt that starts and of every end. */
  readonly listener?: RunListener;
  /** Output that an unfinished attempt left on disk, kept and redacted already. */
  readonly salvage: (runId: string, attempt: number) => Promise<{ stdout: Uint8Array; stderr: Uint8Array }>;
  /** A run could not be written down. That is tried again, until the agent ends; the next start takes up what is on disk then. */
  readonly onFault: (error: unknown) => void;
}

/**
 * Runs that have begun: under way, or between two attempts. One whose end cannot be written yet counts as under way: it keeps
 * its slot, so that neither results in memory nor runs that fail one after another become more and more.
 */
export interface RunWork {
  /**
   * One attempt; then the end, or the wait for another one. A text says why the run cannot be made. Throws when the store
   * cannot be written; nothing has happened then.
   */
  begin(run: RunRecord, lease: RunLease | string): void;
  /** A run that the queue has parked gets its next attempt after `waitMs`. */
  retryIn(runId: string, waitMs: number): void;
  /** True for one that has begun and does not wait for its turn again. */
  has(runId: string): boolean;
  /** Ends a run of which there was an attempt, wherever it is. `why` is empty for a cancel by hand. */
  end(runId: string, why: string): void;
  /** Ends all that is under way, and nothing that waits. */
  endAll(): void;
  /** Nothing begins any more, and nobody waits for another attempt: they stay queued on disk. */
  stop(): void;
  /** Resolves when nothing is under way. */
  idle(): Promise<void>;
  counts(): { readonly running: number; readonly waiting: number };
}

interface Live {
  /** Why it is cancelled, when it is. */
  cancelled: string | null;
  handle: { cancel(): void } | null;
  /** Ends what the start of an attempt waits for. */
  readonly giveUp: AbortController;
}

/** `next` is called when others may begin. */
export function createRunWork(
  deps: RunWorkDeps,
  { queue, ends, next }: { queue: RunQueue; ends: RunEnds; next: () => void },
): RunWork {
  const { runs, clock, chance, events } = deps;
  const live = new Map<string, Live>();
  /** Between two attempts. */
  const retries = new Map<string, AbortController>();
  const working = new Set<Promise<void>>();
  const stopping = new AbortController();
  const written = (write: () => void) => writeAgain(write, deps, stopping.signal);

  /** Does not reject. Whatever becomes of a run, its place is free afterwards. */
  function track(runId: string, work: () => Promise<void>): void {
    const done = work()
      .catch((error: unknown) => {
        free(runId);
        const found = error instanceof Error ? error.message : String(error);
        const message = `run ${runId} could not be written down before the agent ended; the next start reports it as lost, or has it again: ${found}`;
        const fault = new Error(message, { cause: error });
        ends.give(runId, fault);
        deps.onFault(fault);
      })
      .finally(() => {
        working.delete(done);
        next();
      });
    working.add(done);
  }

  async function carryOut(runId: string, run: LeasedRun | string, entry: Live): Promise<void> {
    const outcome = await attempt(run, entry).catch((error: unknown) => {
      if (entry.cancelled !== null) {
        const result = unstarted('cancelled before it was started', clock.now(), 'cancelled');
        return { result, again: false };
      }
      const found = error instanceof Error ? error.message : String(error);
      const message = `the agent could not carry out the run: ${found}`;
      return { result: unstarted(message, clock.now()), again: false };
    });
    await written(() => {
      if (outcome.again && entry.cancelled === null) park(runId, outcome.result);
      else conclude(runId, outcome.result, entry.cancelled);
    });
  }

  /** The run as it is on disk from now on. */
  function begun(before: RunRecord, lease: RunLease): LeasedRun {
    const change = {
      ...lease,
      state: 'running',
      attempt: before.attempt + 1,
      started_at: before.started_at ?? clock.now().toISOString(),
      traceparent: before.traceparent ?? traceparent(chance),
      reason: null,
      exit_code: null,
      next_attempt_at: null,
    } as const;
    runs.update(before.run_id, change);
    return { ...before, ...change };
  }

  /** One attempt: its result, and whether another one follows. A text says why there cannot be any. */
  async function attempt(
    run: LeasedRun | string,
    entry: Live,
  ): Promise<{ result: RunResult; again: boolean }> {
    if (typeof run === 'string') return { result: unstarted(run, clock.now()), again: false };
    const handle = await beginAttempt(deps, run, entry.giveUp.signal);
    if (typeof handle === 'string') return { result: unstarted(handle, clock.now()), again: false };
    entry.handle = handle;
    if (entry.cancelled !== null) handle.cancel();
    note(run.run_id, handle.process);
    events.emit(runEvent('RunStarted', run, `attempt ${run.attempt} is started`));
    const { run_id, flow, version } = run;
    const at = clock.now().toISOString();
    deps.listener?.started({ run_id, attempt: run.attempt, flow, version, at });
    const result = await handle.done;
    entry.handle = null;
    const failed = result.status === 'failed' || result.status === 'timed_out';
    return { result, again: failed && run.attempt <= run.spec.retries && entry.cancelled === null };
  }

  /** Helps the next start to end it after a crash; what has begun goes on without. */
  function note(runId: string, process: RunRecord['process']): void {
    try {
      runs.update(runId, { process });
    } catch (error) {
      deps.onFault(error);
    }
  }

  function conclude(runId: string, result: RunResult, cancelled: string | null): void {
    const replaced = result.status === 'cancelled' && cancelled !== null && cancelled !== '';
    const reason = replaced ? `${cancelled}: ${result.reason ?? 'cancelled'}` : result.reason;
    ends.finish(runId, { ...result, reason });
    free(runId);
  }

  /** Waits for the next attempt: queued again, in its old place. Others have the slot and the lock meanwhile. */
  function park(runId: string, result: RunResult): void {
    const run = runs.get(runId) as RunRecord;
    const waitMs = retryDelayMs(run.attempt, chance.uniform());
    const next_attempt_at = new Date(clock.now().getTime() + waitMs).toISOString();
    const how = result.reason ?? result.status;
    const all = (run.spec?.retries ?? 0) + 1;
    const reason = `attempt ${run.attempt} of ${all} ${result.status} (${how}); the next one is due at ${next_attempt_at}`;
    const { exitCode: exit_code } = result;
    runs.update(runId, { state: 'queued', exit_code, reason, process: null, next_attempt_at });
    live.delete(runId);
    queue.park(runId);
    events.emit(runEvent('RunRetrying', run, reason));
    retryIn(runId, waitMs);
  }

  function retryIn(runId: string, waitMs: number): void {
    if (stopping.signal.aborted) return;
    const stop = new AbortController();
    retries.set(runId, stop);
    const due = () => {
      if (retries.get(runId) !== stop) return;
      retries.delete(runId);
      queue.unpark(runId);
      next();
    };
    clock.sleep(waitMs, stop.signal).then(due, () => {});
  }

  /** Between two attempts: its report shows what the last one printed. */
  async function endBetween(runId: string, why: string): Promise<void> {
    const attempts = runs.get(runId)?.attempt ?? 1;
    const reason = `${why === '' ? 'cancelled' : why} while it waited for attempt ${attempts + 1}`;
    const output = await deps.salvage(runId, attempts);
    await written(() => {
      ends.finish(runId, { ...unstarted(reason, clock.now(), 'cancelled'), ...output });
      free(runId);
    });
  }

  /** In one go with its end: whoever hears of that finds it gone. */
  function free(runId: string): void {
    live.delete(runId);
    queue.release(runId);
  }

  return {
    begin(before, lease) {
      const run = typeof lease === 'string' ? lease : begun(before, lease);
      const entry = living(null);
      live.set(before.run_id, entry);
      track(before.run_id, () => carryOut(before.run_id, run, entry));
    },
    retryIn,
    has: (runId) => live.has(runId) || retries.has(runId),
    end(runId, why) {
      const entry = live.get(runId);
      if (entry !== undefined) {
        cancel(entry, why);
        return;
      }
      retries.get(runId)?.abort(new Error('the run is cancelled'));
      retries.delete(runId);
      queue.remove(runId);
      live.set(runId, living(why));
      track(runId, () => endBetween(runId, why));
    },
    endAll() {
      for (const entry of live.values()) cancel(entry, '');
    },
    stop() {
      stopping.abort(new Error('the agent ends'));
      for (const stop of retries.values()) stop.abort(new Error('the agent ends'));
      retries.clear();
    },
    async idle() {
      while (working.size > 0) await Promise.allSettled(working);
    },
    counts: () => ({ running: live.size, waiting: retries.size }),
  };
}

function living(cancelled: string | null): Live {
  return { cancelled, handle: null, giveUp: new AbortController() };
}

function cancel(entry: Live, why: string): void {
  entry.cancelled ??= why;
  entry.giveUp.abort(new Error('the run is cancelled'));
  entry.handle?.cancel();
}
