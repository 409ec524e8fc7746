import type { RunReport, TriggerKind } from '../schemas/run.ts';
import type {
  Chance,
  Clock,
  EventSink,
  ReportSink,
  RunListener,
  RunRecord,
  RunResult,
  RunStore,
  VersionStore,
} from './ports.ts';
import type { AgentRecords } from './records.ts';
import { type RollBackDeps, rollBack } from './roll-back.ts';
import { type AttemptParts, beginAttempt, retryDelayMs, retryWaitMs } from './run-attempt.ts';
import { createRunEnds } from './run-end.ts';
import { runEvent, unstarted } from './run-outcome.ts';
import { createRunQueue } from './run-queue.ts';
import { createRunStreaks } from './run-streak.ts';
import { heldLease, leaseOf, type RunLease, type RunVersion, runVersion } from './run-version.ts';
import { traceparent } from './traceparent.ts';

export interface DispatcherDeps extends AttemptParts {
  readonly runs: RunStore;
  readonly store: Pick<VersionStore, 'current' | 'absolute'>;
  readonly records: AgentRecords;
  readonly reports: ReportSink;
  readonly events: EventSink;
  readonly clock: Clock;
  readonly chance: Chance;
  /** Told of every attempt that starts and of every end. */
  readonly listener?: RunListener;
  /** `runs.rollback_on: runs`; without it runs never roll anything back. */
  readonly rollBack?: RunRollBack;
  /** Ends what an earlier life of the agent left running of a run; how many processes it found. */
  readonly endOrphans: (run: {
    runId: string;
    process: RunRecord['process'];
  }) => Promise<{ ended: number; left: number } | void>;
  /** A run whose end could not be written; it stays as it is until the next start takes it up. */
  readonly onFault: (error: unknown) => void;
  /** Output that an unfinished attempt left on disk, kept and redacted already. */
  readonly salvage: (runId: string, attempt: number) => Promise<{ stdout: Uint8Array; stderr: Uint8Array }>;
}

export interface RunRollBack {
  /** Asked when a version has failed too often. */
  readonly isOn: () => boolean;
  readonly store: RollBackDeps['store'];
  /** Never beside a reconcile. */
  readonly exclusive: <T>(work: () => Promise<T>) => Promise<T>;
  /** A version was rolled back: the next reconcile says what follows. */
  readonly onDone: () => void;
}

export interface RunRequestByName {
  readonly flow: string;
  readonly runId?: string;
  readonly version?: string;
  readonly input: unknown;
  readonly timeoutMs?: number;
  readonly trigger: TriggerKind;
  /** What asks for it, for the history: `command <id>`, `schedule "…" of <time>`, `local user <name>`. */
  readonly because?: string;
}

export type Submission =
  | { readonly kind: 'queued'; readonly runId: string }
  /** A run of this id was asked for before; nothing is done again. */
  | { readonly kind: 'known'; readonly runId: string }
  /** `overlap: skip`: it has ended as `cancelled`, and is reported unless a schedule asked. */
  | { readonly kind: 'skipped'; readonly runId: string; readonly message: string }
  | { readonly kind: 'not_runnable'; readonly message: string };

export interface Dispatcher {
  /** On disk when it returns `queued`. Throws when the store cannot be written. */
  submit(request: RunRequestByName): Submission;
  /** A run that cannot be queued, whose end is owed all the same: recorded and reported as `failed`. */
  reject(request: RunRequestByName, reason: string): { kind: 'rejected' | 'known'; runId: string };
  /** False when no such run is queued, waiting for another attempt, or running. */
  cancel(runId: string): boolean;
  /** The report of a run once it is finished. */
  wait(runId: string): Promise<RunReport>;
  /** After a crash: what ran is reported `lost`; what was queued is taken up again when `resume` is true. */
  recover(options: { resume: boolean }): Promise<readonly string[]>;
  /** The settings changed: more runs may be allowed at a time. */
  settingsChanged(): void;
  /** Ends everything that runs; what is queued stays queued. */
  cancelRunning(): void;
  /** Starts nothing more and resolves when nothing runs. What waits stays queued, for the next start. */
  drain(): Promise<void>;
  counts(): { running: number; queued: number };
}

/** Queued runs at most: past it a trigger is refused, not forgotten. */
const QUEUE_MAX = 10_000;

interface Live {
  /** Why it is cancelled, when it is. */
  cancelled: string | null;
  handle: { cancel(): void } | null;
}

/** Runs what triggers ask for: the queue, the attempts, the ends. What may begin when is decided in run-queue.ts. */
export function createDispatcher(deps: DispatcherDeps): Dispatcher {
  const { runs, clock, chance, events } = deps;
  const queue = createRunQueue();
  const live = new Map<string, Live>();
  /** Runs between two attempts. */
  const retries = new Map<string, AbortController>();
  const streaks = createRunStreaks(deps.records, deps.store);
  const ends = createRunEnds({ ...deps, streaks, onBadVersion: rollBackBad });
  /** Work that a drain waits for beside the runs. */
  const background = new Set<Promise<unknown>>();
  let pumping = false;
  let draining = false;

  function submit(request: RunRequestByName): Submission {
    const runId = request.runId ?? chance.uuidv7();
    if (runs.get(runId) !== null) return { kind: 'known', runId };
    const chosen = runVersion(deps, request.flow, request.version);
    if (typeof chosen === 'string') return { kind: 'not_runnable', message: chosen };
    if (queue.size >= QUEUE_MAX) {
      const message = `expected at most ${QUEUE_MAX} queued runs; wait for some to finish`;
      return { kind: 'not_runnable', message };
    }
    const { spec } = chosen.settings;
    const standing = queue.standing(request.flow);
    if (spec.overlap === 'skip' && standing !== null) return skip(request, runId, chosen, standing);
    const run = newRun(request, runId, chosen);
    runs.insert(run);
    const waits = `${queue.size} before it`;
    events.emit(runEvent('RunQueued', { ...run, revision: chosen.revision }, waits));
    const replaced = spec.overlap === 'replace' ? queue.ofFlow(request.flow) : [];
    queue.add({ runId, flow: request.flow, lock: spec.lock });
    for (const id of replaced) end(id, `replaced by run ${runId}`);
    soon();
    return { kind: 'queued', runId };
  }

  /** `overlap: skip`. Whoever asked by name gets an answer; a schedule has nobody who waits for one. */
  function skip(request: RunRequestByName, runId: string, chosen: RunVersion, standing: string): Submission {
    const message = `skipped: run ${standing} of flow ${request.flow} has not ended yet (overlap: skip)`;
    const run = { ...newRun(request, runId, chosen), ...leaseOf(chosen), path: null };
    if (request.trigger === 'schedule') {
      const { run_id: _, ...event } = runEvent('RunSkipped', run, message);
      events.emit({ ...event, message: `flow ${request.flow}: a scheduled run is ${message}` });
    } else {
      ends.record(run, unstarted(message, clock.now(), 'cancelled'), 'RunSkipped');
    }
    return { kind: 'skipped', runId, message };
  }

  function newRun(request: RunRequestByName, runId: string, chosen: RunVersion | null): RunRecord {
    const named = chosen !== null && request.version !== undefined;
    return {
      run_id: runId,
      flow: request.flow,
      version: chosen?.version ?? request.version ?? null,
      state: 'queued',
      trigger: request.trigger,
      because: request.because ?? null,
      attempt: 0,
      queued_at: clock.now().toISOString(),
      started_at: null,
      finished_at: null,
      exit_code: null,
      reason: null,
      input: request.input ?? {},
      timeout_ms: request.timeoutMs ?? null,
      process: null,
      // a version that was named is held from now on, the active one when the run begins
      ...(named ? leaseOf(chosen) : { sha256: null, revision: null, spec: null, path: null }),
    };
  }

  /** Once for a whole burst of triggers, and never inside a transaction of whoever submits. */
  function soon(): void {
    if (pumping) return;
    pumping = true;
    queueMicrotask(() => {
      pumping = false;
      try {
        pump();
      } catch (error) {
        deps.onFault(error);
      }
    });
  }

  function pump(): void {
    while (!draining && live.size < deps.settings().concurrency) {
      const next = queue.next();
      if (next === null) return;
      const run = runs.get(next.runId);
      if (run?.state !== 'queued') {
        queue.release(next.runId);
        continue;
      }
      const lease = leaseFor(run);
      if (typeof lease !== 'string' && lease.spec.lock !== next.lock) {
        queue.relock(next, lease.spec.lock);
        continue;
      }
      begin(run, lease);
    }
  }

  function leaseFor(run: RunRecord): RunLease | string {
    const held = heldLease(run);
    if (held !== null) return held;
    const chosen = runVersion(deps, run.flow, run.path === null ? undefined : (run.version ?? undefined));
    return typeof chosen === 'string' ? chosen : leaseOf(chosen);
  }

  function begin(run: RunRecord, lease: RunLease | string): void {
    const { run_id } = run;
    const entry: Live = { cancelled: null, handle: null };
    live.set(run_id, entry);
    const work = async () => {
      try {
        const result = await attempt(run, lease, entry).catch((error: unknown) => {
          const found = error instanceof Error ? error.message : String(error);
          return { final: unstarted(`the agent could not carry out the run: ${found}`, clock.now()) };
        });
        if ('again' in result) park(run_id, result.again);
        else conclude(run_id, result.final, entry.cancelled);
      } catch (error) {
        ends.give(run_id, error);
        deps.onFault(error);
        queue.release(run_id);
      }
      live.delete(run_id);
      soon();
    };
    track(work());
  }

  /** One attempt: how the run ended by it, or that another one follows. */
  async function attempt(
    before: RunRecord,
    lease: RunLease | string,
    entry: Live,
  ): Promise<{ final: RunResult } | { again: RunResult }> {
    if (typeof lease === 'string') return { final: unstarted(lease, clock.now()) };
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
    const run = { ...before, ...change };
    const handle = await beginAttempt(deps, run);
    if (typeof handle === 'string') return { final: unstarted(handle, clock.now()) };
    entry.handle = handle;
    if (entry.cancelled !== null) handle.cancel();
    runs.update(run.run_id, { process: handle.process });
    events.emit(runEvent('RunStarted', run, `attempt ${run.attempt} is started`));
    deps.listener?.started({
      run_id: run.run_id,
      attempt: run.attempt,
      flow: run.flow,
      version: run.version,
      at: clock.now().toISOString(),
    });
    const result = await handle.done;
    entry.handle = null;
    const failed = result.status === 'failed' || result.status === 'timed_out';
    const again = failed && run.attempt <= run.spec.retries && entry.cancelled === null;
    return again ? { again: result } : { final: result };
  }

  function conclude(runId: string, result: RunResult, cancelled: string | null): void {
    const replaced = result.status === 'cancelled' && cancelled !== null && cancelled !== '';
    const reason = replaced ? `${cancelled}: ${result.reason ?? 'cancelled'}` : result.reason;
    ends.finish(runId, { ...result, reason });
    queue.release(runId);
  }

  /** Waits for the next attempt: queued again, in its old place. Others have the slot and the lock meanwhile. */
  function park(runId: string, result: RunResult): void {
    const run = runs.get(runId) as RunRecord;
    const waitMs = retryDelayMs(run.attempt, chance.uniform());
    const next_attempt_at = new Date(clock.now().getTime() + waitMs).toISOString();
    const how = result.reason ?? result.status;
    const reason = `attempt ${run.attempt} of ${(run.spec?.retries ?? 0) + 1} ${result.status} (${how}); the next one is due at ${next_attempt_at}`;
    runs.update(runId, {
      state: 'queued',
      exit_code: result.exitCode,
      reason,
      process: null,
      next_attempt_at,
    });
    queue.park(runId);
    events.emit(runEvent('RunRetrying', run, reason));
    retryIn(runId, waitMs);
  }

  function retryIn(runId: string, waitMs: number): void {
    const stop = new AbortController();
    retries.set(runId, stop);
    if (draining) return;
    const due = () => {
      if (retries.get(runId) !== stop || draining) return;
      retries.delete(runId);
      queue.unpark(runId);
      soon();
    };
    clock.sleep(waitMs, stop.signal).then(due, () => {});
  }

  /** Ends a run wherever it is; false when it is nowhere. `why` is empty for a cancel by hand. */
  function end(runId: string, why: string): boolean {
    const entry = live.get(runId);
    if (entry !== undefined) {
      entry.cancelled ??= why;
      entry.handle?.cancel();
      return true;
    }
    const stop = retries.get(runId);
    if (stop !== undefined) {
      retries.delete(runId);
      stop.abort(new Error('the run is cancelled'));
      track(endParked(runId, why));
      return true;
    }
    if (!queue.remove(runId)) return false;
    const reason = why === '' ? 'cancelled before it started' : why;
    ends.finish(
      runId,
      unstarted(reason, clock.now(), 'cancelled'),
      why === '' ? 'RunCancelled' : 'RunSkipped',
    );
    soon();
    return true;
  }

  /** Its report shows what the last attempt printed. */
  async function endParked(runId: string, why: string): Promise<void> {
    const attempts = runs.get(runId)?.attempt ?? 1;
    const reason = `${why === '' ? 'cancelled' : why} while it waited for attempt ${attempts + 1}`;
    try {
      const output = await deps.salvage(runId, attempts);
      ends.finish(runId, { ...unstarted(reason, clock.now(), 'cancelled'), ...output });
    } catch (error) {
      ends.give(runId, error);
      deps.onFault(error);
    }
    queue.release(runId);
    soon();
  }

  function rollBackBad(flow: string): void {
    const { rollBack: how } = deps;
    if (how?.isOn() !== true) return;
    const work = how.exclusive(async () => {
      const bad = streaks.bad(flow);
      if (bad === null || !how.isOn()) return;
      const { records, reports } = deps;
      const now = clock.now();
      const { seq } = how.store.current();
      const options = { now, seq, withoutPrevious: 'keep' } as const;
      const result = await rollBack({ store: how.store, records, events, reports }, bad, options);
      if (result.kind === 'rolled_back') how.onDone();
    });
    track(work.catch(deps.onFault));
  }

  function track(work: Promise<unknown>): void {
    background.add(work);
    void work.finally(() => background.delete(work));
  }

  async function takeUpLost(): Promise<string[]> {
    const lost: string[] = [];
    for (const run of runs.list({ states: ['running'], limit: QUEUE_MAX })) {
      const found = await deps.endOrphans({ runId: run.run_id, process: run.process });
      if (found !== undefined && found.ended + found.left > 0) events.emit(orphansEvent(run, found));
      const output = await deps.salvage(run.run_id, Math.max(1, run.attempt));
      const reason = 'the agent ended while the run was under way; whether it finished its work is not known';
      ends.finish(run.run_id, { ...unstarted(reason, clock.now()), ...output, status: 'lost' });
      lost.push(run.run_id);
    }
    return lost;
  }

  function takeUpQueued(): void {
    const queued = runs.list({ states: ['queued'], limit: QUEUE_MAX });
    const locks = new Map<string, string | null>();
    const lockOf = (run: RunRecord) => {
      if (run.spec !== null) return run.spec.lock;
      const known = locks.get(run.flow);
      if (known !== undefined) return known;
      const lock = deps.records.flow(run.flow)?.active?.spec.lock ?? null;
      locks.set(run.flow, lock);
      return lock;
    };
    for (const run of queued.toReversed()) {
      const entry = { runId: run.run_id, flow: run.flow, lock: lockOf(run) };
      const waitMs = retryWaitMs(run.next_attempt_at, clock.now());
      if (waitMs > 0 && queue.standing(run.flow) === null) {
        queue.addParked(entry);
        retryIn(run.run_id, waitMs);
      } else {
        queue.add(entry);
      }
    }
    soon();
  }

  return {
    submit,
    reject(request, reason) {
      const runId = request.runId ?? chance.uuidv7();
      if (runs.get(runId) !== null) return { kind: 'known', runId };
      ends.record(newRun(request, runId, null), unstarted(reason, clock.now()));
      return { kind: 'rejected', runId };
    },
    cancel: (runId) => end(runId, ''),
    wait: (runId) => ends.wait(runId),
    async recover({ resume }) {
      const lost = await takeUpLost();
      if (resume) takeUpQueued();
      for (const flow of Object.keys(deps.store.current().flows)) {
        if (resume && streaks.bad(flow) !== null) rollBackBad(flow);
      }
      return lost;
    },
    settingsChanged: soon,
    cancelRunning() {
      for (const entry of live.values()) {
        entry.cancelled ??= '';
        entry.handle?.cancel();
      }
    },
    async drain() {
      draining = true;
      for (const stop of retries.values()) stop.abort(new Error('the agent ends'));
      while (background.size > 0) await Promise.allSettled(background);
    },
    counts: () => ({ running: live.size, queued: queue.size + retries.size }),
  };
}

function orphansEvent(run: RunRecord, found: { ended: number; left: number }) {
  const rest = found.left > 0 ? `; ${found.left} could not be ended` : '';
  return {
    severity: 'warning',
    reason: 'OrphansEnded',
    message: `run ${run.run_id} of flow ${run.flow}: ${found.ended} processes of an earlier life of the agent are ended${rest}`,
    because: 'the agent had ended while the run was under way',
    flow: run.flow,
    run_id: run.run_id,
  } as const;
}
