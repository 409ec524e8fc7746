import type { RunReport, TriggerKind } from '../schemas/run.ts';
import type { Chance, Clock, EventSink, ReportSink, RunRecord, RunStore, VersionStore } from './ports.ts';
import type { AgentRecords } from './records.ts';
import { createRunEnds } from './run-end.ts';
import { runEvent, unstarted } from './run-outcome.ts';
import { createRunQueue } from './run-queue.ts';
import { endLost, type RecoveryDeps, takeUpQueued } from './run-recovery.ts';
import { createRunRollBacks, type RunRollBack } from './run-roll-back.ts';
import { createRunStreaks } from './run-streak.ts';
import { createRunTurns } from './run-turns.ts';
import { leaseOf, type RunVersion, runVersion } from './run-version.ts';
import { createRunWork, type RunWorkDeps } from './run-work.ts';

export interface DispatcherDeps extends RunWorkDeps, RecoveryDeps {
  readonly runs: RunStore;
  readonly store: Pick<VersionStore, 'current' | 'absolute'>;
  readonly records: AgentRecords;
  readonly reports: ReportSink;
  readonly events: EventSink;
  readonly clock: Clock;
  readonly chance: Chance;
  /** `runs.rollback_on: runs`; without it runs never roll anything back. */
  readonly rollBack?: RunRollBack;
  readonly salvage: RunWorkDeps['salvage'];
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
  /**
   * On disk when it returns `queued`. Throws when the store cannot be written. In a transaction of the caller nothing has
   * happened before that is on disk: what else is asked of the flow in it is not compared with this run (`overlap`).
   */
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

/**
 * Runs what triggers ask for. What may begin when is decided in run-queue.ts, and begins in run-turns.ts; attempts and retries
 * are in run-work.ts, ends in run-end.ts, what a crash left in run-recovery.ts.
 */
export function createDispatcher(deps: DispatcherDeps): Dispatcher {
  const { runs, records, clock, chance, events } = deps;
  const queue = createRunQueue();
  const streaks = createRunStreaks(records, deps.store);
  const rollBacks = createRunRollBacks(deps, streaks);
  const ends = createRunEnds({
    ...deps,
    streaks,
    onTurn(flow, turn) {
      // the run has ended, whatever comes of this
      try {
        if (turn === 'bad') rollBacks.consider(flow);
        else rollBacks.turnedWell(flow);
      } catch (error) {
        deps.onFault(error);
      }
    },
  });
  const turns = createRunTurns(deps, queue, () => work);
  const work = createRunWork(deps, { queue, ends, next: turns.soon });

  function submit(request: RunRequestByName): Submission {
    const runId = request.runId ?? chance.uuidv7();
    if (runs.get(runId) !== null) return { kind: 'known', runId };
    const service = runId.startsWith('service-') ? runId.slice('service-'.length) : '';
    if (deps.store.current().flows[service] !== undefined) {
      const message = `expected a run_id of its own, found "${runId}", under which the service ${service} keeps its files`;
      return { kind: 'not_runnable', message };
    }
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
    const replaced = spec.overlap === 'replace' ? queue.ofFlow(request.flow) : [];
    records.transaction(() => {
      runs.insert(run);
      records.afterCommit(() => {
        const waits = `${queue.size} before it`;
        events.emit(runEvent('RunQueued', { ...run, revision: chosen.revision }, waits));
        queue.add({ runId, flow: request.flow, lock: spec.lock });
        turns.soon();
      });
      for (const id of replaced) end(id, `replaced by run ${runId}`);
    });
    return { kind: 'queued', runId };
  }

  /** `overlap: skip`. Whoever asked by name gets an answer; a schedule has nobody who waits for one. */
  function skip(request: RunRequestByName, runId: string, chosen: RunVersion, standing: string): Submission {
    const message = `skipped: run ${standing} of flow ${request.flow} has not ended yet (overlap: skip)`;
    const run = { ...newRun(request, runId, chosen), ...leaseOf(chosen), path: null };
    if (request.trigger === 'schedule') {
      const { run_id: _, ...event } = runEvent('RunSkipped', run, message);
      const scheduled = `flow ${request.flow}: a scheduled run is ${message}`;
      records.afterCommit(() => events.emit({ ...event, message: scheduled }));
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
      input: request.input === undefined ? {} : request.input,
      timeout_ms: request.timeoutMs ?? null,
      process: null,
      // a version that was named is held from now on, the active one when the run begins
      ...(named ? leaseOf(chosen) : { sha256: null, revision: null, spec: null, path: null }),
    };
  }

  /** Ends a run wherever it is, with the transaction under way; false when it is nowhere. `why` is empty for a cancel by hand. */
  function end(runId: string, why: string): boolean {
    const run = work.has(runId) || queue.waits(runId) ? runs.get(runId) : null;
    if (run === null || run.finished_at !== null) return false;
    if (work.has(runId) || run.attempt > 0) records.afterCommit(() => work.end(runId, why));
    else endUnbegun(runId, why);
    return true;
  }

  function endUnbegun(runId: string, why: string): void {
    const reason = why === '' ? 'cancelled before it started' : why;
    const event = why === '' ? 'RunCancelled' : 'RunSkipped';
    records.transaction(() => {
      ends.finish(runId, unstarted(reason, clock.now(), 'cancelled'), event);
      records.afterCommit(() => queue.remove(runId));
    });
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
      const lost = await endLost(deps, ends);
      if (!resume) return lost;
      takeUpQueued(deps, queue, work.retryIn);
      turns.soon();
      for (const flow of Object.keys(deps.store.current().flows)) rollBacks.consider(flow);
      return lost;
    },
    settingsChanged: turns.soon,
    cancelRunning: () => work.endAll(),
    async drain() {
      turns.stop();
      work.stop();
      await work.idle();
      await rollBacks.idle();
    },
    counts() {
      const { running, waiting } = work.counts();
      return { running, queued: queue.size + waiting };
    },
  };
}
