import type { FlowSpec } from '../schemas/flow-spec.ts';
import type { RunReport, RunState, TriggerKind } from '../schemas/run.ts';
import type {
  Chance,
  Clock,
  EventSink,
  Executor,
  ReportSink,
  RunHandle,
  RunRecord,
  RunResult,
  RunSettings,
  RunStore,
  VersionStore,
} from './ports.ts';
import type { AgentRecords } from './records.ts';
import { reportOf, runEvent } from './run-outcome.ts';
import { traceparent } from './traceparent.ts';

export interface DispatcherDeps {
  readonly runs: RunStore;
  readonly store: Pick<VersionStore, 'current' | 'absolute' | 'record'>;
  readonly records: AgentRecords;
  readonly executors: ReadonlyMap<FlowSpec['runtime'], Executor>;
  readonly reports: ReportSink;
  readonly events: EventSink;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly tenant: string;
  readonly settings: () => RunSettings;
  readonly secrets: () => Promise<Readonly<Record<string, string>>>;
  readonly runDirectory: (runId: string, attempt: number) => string;
  /** Ends what an earlier life of the agent left running. */
  readonly endOrphans: (run: { runId: string; process: RunRecord['process'] }) => Promise<void>;
  /** A run whose end could not be written; it stays as it is until the next start reports it `lost`. */
  readonly onFault: (error: unknown) => void;
  /** Output that an unfinished attempt left on disk, kept and redacted already. */
  readonly salvage: (runId: string, attempt: number) => Promise<{ stdout: Uint8Array; stderr: Uint8Array }>;
}

export interface RunRequestByName {
  readonly flow: string;
  readonly runId?: string;
  readonly version?: string;
  readonly input: unknown;
  readonly timeoutMs?: number;
  readonly trigger: TriggerKind;
}

export type Submission =
  | { readonly kind: 'queued'; readonly runId: string }
  | { readonly kind: 'known'; readonly runId: string }
  | { readonly kind: 'not_runnable'; readonly message: string };

export interface Dispatcher {
  submit(request: RunRequestByName): Submission;
  /** False when no such run is queued or running. */
  cancel(runId: string): boolean;
  /** The report of a run once it is finished. */
  wait(runId: string): Promise<RunReport>;
  /** After a crash: what ran is reported `lost`; what was queued is taken up again when `resume` is true. */
  recover(options: { resume: boolean }): Promise<readonly string[]>;
  /** Ends everything that runs; what is queued stays queued. */
  cancelRunning(): void;
  /** Starts nothing more and resolves when nothing runs. */
  drain(): Promise<void>;
  counts(): { running: number; queued: number };
}

/** Queued runs at most: past it a trigger is refused, not forgotten. */
const QUEUE_MAX = 10_000;

interface Live {
  cancelled: boolean;
  handle: RunHandle | null;
}

/** Runs what triggers ask for, at most `runs.concurrency` at a time, oldest first. */
export function createDispatcher(deps: DispatcherDeps): Dispatcher {
  const live = new Map<string, Live>();
  const waiting = new Map<string, PromiseWithResolvers<RunReport>[]>();
  const reports = new Map<string, RunReport>();
  const queue: string[] = [];
  const idle: (() => void)[] = [];
  let draining = false;

  function submit(request: RunRequestByName): Submission {
    const runId = request.runId ?? deps.chance.uuidv7();
    if (deps.runs.get(runId) !== null) return { kind: 'known', runId };
    const chosen = choose(request);
    if (typeof chosen === 'string') return { kind: 'not_runnable', message: chosen };
    if (queue.length >= QUEUE_MAX) {
      return {
        kind: 'not_runnable',
        message: `expected at most ${QUEUE_MAX} queued runs; wait for some to finish`,
      };
    }
    deps.runs.insert({
      run_id: runId,
      flow: request.flow,
      version: chosen.version,
      state: 'queued',
      trigger: request.trigger,
      attempt: 0,
      queued_at: deps.clock.now().toISOString(),
      started_at: null,
      finished_at: null,
      exit_code: null,
      reason: null,
      sha256: null,
      revision: null,
      spec: null,
      path: request.version === undefined ? null : chosen.path,
      input: request.input ?? {},
      timeout_ms: request.timeoutMs ?? null,
      process: null,
    });
    const { flow, trigger } = request;
    const queued = { run_id: runId, flow, version: chosen.version, revision: chosen.revision, trigger };
    deps.events.emit(runEvent('RunQueued', queued, `${queue.length} before it`));
    queue.push(runId);
    pump();
    return { kind: 'queued', runId };
  }

  /** The version a run would get now: the active one, or the named one when it is the active or the previous. */
  function choose(request: { flow: string; version?: string | undefined }) {
    const active = deps.store.current().flows[request.flow];
    const state = deps.records.flow(request.flow);
    const names = Object.keys(deps.store.current().flows);
    if (active === undefined || state?.active == null) {
      const others =
        names.length === 0 ? 'no flow is active' : `active are: ${names.slice(0, 20).join(', ')}`;
      return `expected the id of an active flow, found "${request.flow}" (${others})`;
    }
    if (request.version === undefined || request.version === active.version) {
      return { ...active, settings: state.active };
    }
    if (active.previous?.version === request.version && state.previous !== null) {
      return { ...active.previous, revision: active.revision, settings: state.previous };
    }
    return `expected version ${active.version}${active.previous === null ? '' : ` or ${active.previous.version}`} of flow ${request.flow}, found "${request.version}"`;
  }

  function pump(): void {
    while (!draining && live.size < deps.settings().concurrency) {
      const runId = queue.shift();
      if (runId === undefined) return;
      const run = deps.runs.get(runId);
      if (run === null || run.state !== 'queued') continue;
      live.set(runId, { cancelled: false, handle: null });
      const ended = work(run).catch((error: unknown) => {
        for (const waiter of waiting.get(runId) ?? []) waiter.reject(error);
        waiting.delete(runId);
        deps.onFault(error);
      });
      void ended.finally(() => {
        live.delete(runId);
        pump();
        if (live.size === 0) for (const done of idle.splice(0)) done();
      });
    }
  }

  async function work(run: RunRecord): Promise<void> {
    try {
      await attemptAll(run);
    } catch (error) {
      const message = `the agent could not carry out the run: ${error instanceof Error ? error.message : String(error)}`;
      finish(run.run_id, failedBeforeStart(message));
    }
  }

  async function attemptAll(run: RunRecord): Promise<void> {
    const chosen = choose({
      flow: run.flow,
      version: run.path === null ? undefined : (run.version ?? undefined),
    });
    if (typeof chosen === 'string') return finish(run.run_id, failedBeforeStart(chosen));
    const { settings, version, sha256, path, revision } = chosen;
    const { spec, entrypoint } = settings;
    const lease = { version, sha256, path, revision, spec };
    deps.runs.update(run.run_id, {
      ...lease,
      state: 'running',
      started_at: deps.clock.now().toISOString(),
      attempt: 1,
    });
    const secrets = await secretsOf(spec);
    if (typeof secrets === 'string') return finish(run.run_id, failedBeforeStart(secrets));
    const executor = deps.executors.get(spec.runtime);
    if (executor === undefined) {
      return finish(run.run_id, failedBeforeStart(`no executor for runtime ${spec.runtime}`));
    }
    const parent = traceparent(deps.chance);
    for (let attempt = 1; ; attempt += 1) {
      deps.runs.update(run.run_id, { attempt });
      const handle = await executor.start(
        {
          spec,
          directory: deps.store.absolute(path),
          entrypoint,
          runId: run.run_id,
          attempt,
          tenant: deps.tenant,
          version,
          runDirectory: deps.runDirectory(run.run_id, attempt),
          input: run.input,
          timeoutMs: run.timeout_ms ?? spec.timeout ?? deps.settings().defaultTimeoutMs,
          secrets,
          traceparent: parent,
        },
        deps.settings(),
      );
      const entry = live.get(run.run_id) as Live;
      entry.handle = handle;
      deps.runs.update(run.run_id, { process: handle.process });
      deps.events.emit(runEvent('RunStarted', { ...run, ...lease }, `attempt ${attempt} is started`));
      if (entry.cancelled) handle.cancel();
      const result = await handle.done;
      entry.handle = null;
      const again = attempt <= spec.retries && (result.status === 'failed' || result.status === 'timed_out');
      if (!again || entry.cancelled || draining) return finish(run.run_id, result);
      const message = `attempt ${attempt} of ${spec.retries + 1} ${result.status}: ${result.reason ?? ''}`;
      deps.events.emit(runEvent('RunFailed', { ...run, ...lease }, message));
    }
  }

  async function secretsOf(spec: FlowSpec): Promise<Record<string, string> | string> {
    const known = spec.secrets.length === 0 ? {} : await deps.secrets();
    const missing = spec.secrets.filter((name) => known[name] === undefined);
    if (missing.length > 0) {
      return `expected ${missing.join(', ')} in credentials_dir/secrets.yaml, found no such secret; add it and trigger again`;
    }
    return Object.fromEntries(spec.secrets.map((name) => [name, known[name] as string]));
  }

  function failedBeforeStart(reason: string, status: RunResult['status'] = 'failed'): RunResult {
    const at = deps.clock.now();
    const none = new Uint8Array();
    return {
      status,
      exitCode: null,
      reason,
      stdout: none,
      stderr: none,
      truncated: { stdout: 0, stderr: 0 },
      outputs: [],
      startedAt: at,
      finishedAt: at,
    };
  }

  function finish(
    runId: string,
    result: Omit<RunResult, 'status'> & { status: Exclude<RunState, 'queued' | 'running'> },
  ) {
    const finished_at = result.finishedAt.toISOString();
    const run = deps.runs.get(runId) as RunRecord;
    const report = reportOf(run, result);
    deps.records.transaction(() => {
      const { exitCode: exit_code, reason, status: state } = result;
      deps.runs.update(runId, { state, exit_code, reason, finished_at, process: null });
      deps.reports.run(report);
    });
    deps.events.emit(
      runEvent(REASON_OF[result.status], run, result.reason ?? `exit code ${result.exitCode}`),
    );
    reports.set(runId, report);
    const keep = waiting.get(runId);
    waiting.delete(runId);
    for (const waiter of keep ?? []) waiter.resolve(report);
    if (reports.size > 100) reports.delete(reports.keys().next().value as string);
  }

  return {
    submit,
    cancel(runId) {
      const entry = live.get(runId);
      if (entry !== undefined) {
        entry.cancelled = true;
        entry.handle?.cancel();
        return true;
      }
      const position = queue.indexOf(runId);
      if (position < 0) return false;
      queue.splice(position, 1);
      finish(runId, failedBeforeStart('cancelled before it started', 'cancelled'));
      return true;
    },
    wait(runId) {
      const report = reports.get(runId);
      if (report !== undefined) return Promise.resolve(report);
      const waiter = Promise.withResolvers<RunReport>();
      waiting.set(runId, [...(waiting.get(runId) ?? []), waiter]);
      return waiter.promise;
    },
    async recover({ resume }) {
      const lost: string[] = [];
      for (const run of deps.runs.list({ states: ['running'], limit: QUEUE_MAX })) {
        await deps.endOrphans({ runId: run.run_id, process: run.process });
        const output = await deps.salvage(run.run_id, Math.max(1, run.attempt));
        const reason =
          'the agent ended while the run was under way; whether it finished its work is not known';
        finish(run.run_id, { ...failedBeforeStart(reason), ...output, status: 'lost' });
        lost.push(run.run_id);
      }
      if (resume) {
        const queued = deps.runs.list({ states: ['queued'], limit: QUEUE_MAX });
        queue.push(...queued.toReversed().map((run) => run.run_id));
        pump();
      }
      return lost;
    },
    cancelRunning() {
      for (const entry of live.values()) {
        entry.cancelled = true;
        entry.handle?.cancel();
      }
    },
    async drain() {
      draining = true;
      if (live.size > 0) await new Promise<void>((done) => idle.push(done));
    },
    counts: () => ({ running: live.size, queued: queue.length }),
  };
}

const REASON_OF = {
  succeeded: 'RunSucceeded',
  failed: 'RunFailed',
  timed_out: 'RunTimedOut',
  cancelled: 'RunCancelled',
  lost: 'RunLost',
} as const;
