import type { Dispatcher } from '../reconciler/dispatcher.ts';
import type { FlowPlan, Plan } from '../reconciler/plan.ts';
import type { EventSink, ReportSink, RunStore, VersionStore } from '../reconciler/ports.ts';
import type { ReconcileResult } from '../reconciler/reconcile.ts';
import type { AgentRecords } from '../reconciler/records.ts';
import type { ActiveFlow } from '../schemas/current.ts';
import type { Status } from '../schemas/status.ts';
import { obstaclesOf } from './obstacles.ts';
import { OperationError } from './operation-error.ts';
import type {
  AgentOperations,
  GcAnswer,
  PlannedChange,
  ReconcileAnswer,
  Released,
  VerifyAnswer,
} from './operations.ts';
import { toSummary } from './run-summary.ts';
import type { Uploads } from './uploads.ts';

export interface LocalParts {
  readonly records: AgentRecords;
  readonly store: VersionStore;
  readonly runs: RunStore;
  /** Parked reports become due again; how many. */
  readonly retryReports: () => number;
  readonly uploads: Pick<Uploads, 'add' | 'states' | 'hasConsole'>;
  /** Begins to send what is due, in a process that is no daemon; null in a daemon, which does so anyway. */
  readonly sendUploads: (() => void) | null;
  readonly events: EventSink;
  readonly reports: ReportSink;
  readonly dispatcher: Dispatcher;
  readonly now: () => Date;
  readonly status: () => Promise<Status>;
  /** Why the tunnel is not connected. */
  readonly tunnelMessage: () => string | null;
  /** Through the loop in a daemon, at once without one. */
  readonly reconcile: (
    options: { explicit: boolean; force: boolean },
    signal: AbortSignal,
  ) => Promise<ReconcileResult>;
  readonly dryRun: (signal: AbortSignal) => Promise<ReconcileResult>;
  /** Wakes the loop; nothing without a daemon. */
  readonly nudge: () => void;
  readonly collectGarbage: (dryRun: boolean, signal: AbortSignal) => Promise<GcAnswer>;
  readonly verifyAll: (signal: AbortSignal) => Promise<VerifyAnswer>;
  /** One at a time with reconciles, the roll-backs of failing runs and the clean-up. */
  readonly exclusive: <T>(work: () => Promise<T>) => Promise<T>;
}

/** The operations in the process that holds the lock. */
export function createLocalOperations(parts: LocalParts): Omit<AgentOperations, 'rotatekey' | 'stop'> {
  const { records, store, runs, dispatcher, events } = parts;

  async function answer(result: ReconcileResult): Promise<ReconcileAnswer> {
    const report = { ...(await parts.status()), actions: [...result.actions] };
    const told = result.exitCode === 0 || result.setbacks.length > 0;
    const problems = told ? problemsOf(result) : unhealthyIn(report);
    return { report, exit_code: result.exitCode, problems };
  }

  /** Why a version is nothing to go back to, or null. */
  async function rollbackFault(
    previous: { version: string; path: string } | null,
    quarantined: string | undefined,
    signal: AbortSignal,
  ): Promise<string | null> {
    if (previous === null) return 'it has none';
    if (quarantined !== undefined) return `${previous.version} is quarantined (${quarantined})`;
    if ((await store.record(previous.path)) === null) return `${previous.version} is no longer on disk`;
    const checked = await store.check(previous.path, 'deep', signal);
    return checked.kind === 'intact'
      ? null
      : `${previous.version} on disk is not what was unpacked (${checked.message})`;
  }

  /** What a roll-back would change, read from the pointer. */
  function rollbackOf(flow: string): { active: ActiveFlow; previous: ActiveFlow['previous'] } {
    const active = store.current().flows[flow];
    if (active === undefined) {
      const names = Object.keys(store.current().flows).join(', ') || 'none';
      const message = `expected the id of an active flow, found "${flow}" (active: ${names})`;
      throw new OperationError('rollback_impossible', message, { exitCode: 2 });
    }
    if (active.held !== null) {
      const message = `flow ${flow}: expected a version that nobody rolled back, found ${active.version}, held by ${active.held.by} (${active.held.why}); "edge-agent resume" lets it go`;
      throw new OperationError('rollback_impossible', message, { exitCode: 4 });
    }
    return { active, previous: active.previous };
  }

  /** Points back to what was checked, unless another version was activated during the check. */
  async function pointBack(
    flow: string,
    active: ActiveFlow,
    previous: NonNullable<ActiveFlow['previous']>,
    held: { by: string; why: string },
  ): Promise<void> {
    const now = store.current().flows[flow];
    const same =
      now !== undefined && now.sha256 === active.sha256 && now.previous?.sha256 === previous.sha256;
    if (!same || now.held !== null) {
      const found = now === undefined ? 'no version' : now.version;
      const message = `flow ${flow}: expected ${active.version} to be active until ${previous.version} was checked, found that ${found} took its place; look at "edge-agent status" and ask again`;
      throw new OperationError('rollback_impossible', message, { exitCode: 4 });
    }
    const revision = records.flow(flow)?.previous?.revision ?? active.revision;
    await store.point([{ flow, to: { ...previous, revision, held } }], store.current().seq, () => {
      const state = records.flow(flow);
      // settings that are another version's must not come with this one
      if (state?.active?.spec.sha256 === active.sha256) {
        const swapped = {
          active: state.previous,
          previous: state.active,
          health: state.previous?.spec.health === null ? 'healthy' : 'unknown',
          phase: 'active',
        } as const;
        records.saveFlow(flow, { ...state, ...swapped, since: parts.now().toISOString(), setback: null });
      }
      parts.reports.statusChanged();
    });
  }

  return {
    status: () => parts.status(),
    obstacles: () => Promise.resolve(obstaclesOf(records, parts.tunnelMessage())),

    async reconcile({ force }, signal) {
      return answer(await parts.reconcile({ explicit: true, force }, signal));
    },

    async diff(_input, signal) {
      const result = await parts.dryRun(signal);
      const current = store.current();
      const changes = result.plan === null ? [] : plannedChanges(result.plan, current.flows);
      const would = changes.some((change) => change.change !== 'blocked');
      return {
        revision: result.revision,
        changes,
        problems: problemsOf(result),
        status: await parts.status(),
        exit_code: would ? 10 : result.setbacks.length > 0 ? result.exitCode : 0,
      };
    },

    async trigger({ flow, version, input, timeout_ms, by }) {
      const submitted = dispatcher.submit({
        flow,
        input,
        trigger: 'local',
        ...(by === undefined ? {} : { because: `triggered by ${by} on this machine` }),
        ...(version === null ? {} : { version }),
        ...(timeout_ms === null ? {} : { timeoutMs: timeout_ms }),
      });
      if (submitted.kind === 'not_runnable') {
        throw new OperationError('flow_not_runnable', submitted.message, { exitCode: 4 });
      }
      return { run_id: submitted.runId };
    },

    async result({ run_id }) {
      if (runs.get(run_id) === null) throw unknownRun(run_id);
      return dispatcher.wait(run_id);
    },

    async runs({ flow, limit }) {
      const found = runs.list({ limit, ...(flow === null ? {} : { flow }) });
      return { runs: found.map(toSummary) };
    },

    async cancel({ run_id }) {
      const run = runs.get(run_id);
      if (run === null) throw unknownRun(run_id);
      if (dispatcher.cancel(run_id)) return { run_id, state: 'cancelling' };
      return { run_id, state: run.state };
    },

    async suspend({ by, why, until }) {
      records.transaction(() => {
        records.saveSuspension({ by, why, until });
        parts.reports.statusChanged();
      });
      const message = `activation is suspended by ${by}${until === null ? '' : ` until ${until}`}`;
      events.emit({ severity: 'warning', reason: 'Suspended', message, because: why });
      return parts.status();
    },

    async resume({ by }) {
      const before = records.suspension(parts.now());
      records.transaction(() => {
        records.saveSuspension(null);
        parts.reports.statusChanged();
      });
      const held = await parts.exclusive(async () => {
        const found = Object.entries(store.current().flows).filter(([, flow]) => flow.held !== null);
        for (const [flow] of found) await store.setHeld(flow, null);
        return found;
      });
      if (held.length > 0) parts.reports.statusChanged();
      if (before !== null) {
        const message = `activation is resumed by ${by}`;
        events.emit({
          severity: 'info',
          reason: 'Resumed',
          message,
          because: `it was suspended by ${before.by}: ${before.why}`,
        });
      }
      for (const [flow, active] of held) {
        const because = `it was held by ${active.held?.by}: ${active.held?.why}`;
        events.emit({
          severity: 'info',
          reason: 'HoldReleased',
          message: `flow ${flow}: released by ${by}`,
          because,
          flow,
        });
      }
      parts.nudge();
      return parts.status();
    },

    async rollback({ flow, by, why }, signal) {
      const { active, previous } = rollbackOf(flow);
      const quarantine = previous === null ? undefined : records.quarantines().get(previous.sha256);
      const fault = await rollbackFault(previous, quarantine?.message, signal);
      if (previous === null || fault !== null) {
        const found = fault ?? 'it has none';
        const message = `flow ${flow}: expected a previous version to go back to, found that ${found}; publish a release with the version you want`;
        throw new OperationError('rollback_impossible', message, { exitCode: 4 });
      }
      // the check takes seconds; what follows must not come between a reconcile and its records
      await parts.exclusive(() => {
        signal.throwIfAborted();
        return pointBack(flow, active, previous, { by, why });
      });
      const message = `flow ${flow}: ${previous.version} is active again, ${active.version} was; held by ${by}`;
      events.emit({
        severity: 'warning',
        reason: 'RolledBack',
        message,
        because: why,
        flow,
        version: previous.version,
      });
      return parts.status();
    },

    async retry({ flow }, signal) {
      const states = records.flows();
      if (flow !== null && !states.has(flow)) {
        const message = `expected the id of a flow, found "${flow}" (known: ${[...states.keys()].join(', ') || 'none'})`;
        throw new OperationError('usage', message, { exitCode: 2 });
      }
      const digests = new Set(flow === null ? [] : [states.get(flow)?.desired_sha256]);
      const quarantined = new Set<string>();
      const waiting = [...states].flatMap(([id, { setback }]) =>
        setback !== null && (flow === null || id === flow) ? [id] : [],
      );
      records.transaction(() => {
        for (const [sha256, quarantine] of records.quarantines()) {
          if (flow !== null && quarantine.flow !== flow && !digests.has(sha256)) continue;
          records.clearQuarantine(sha256);
          quarantined.add(quarantine.flow);
          for (const id of waiting) if (states.get(id)?.desired_sha256 === sha256) quarantined.add(id);
          const message = `flow ${quarantine.flow}: ${sha256} may be tried again`;
          events.emit({
            severity: 'info',
            reason: 'QuarantineCleared',
            message,
            because: quarantine.message,
          });
        }
        for (const [id, state] of states) {
          if (flow === null || id === flow) {
            records.saveFlow(id, { ...state, setback: null, failures: 0, next_attempt_at: null });
          }
        }
      });
      const released: Released = {
        quarantined: [...quarantined].toSorted(),
        waiting: waiting.filter((id) => !quarantined.has(id)),
        reports: flow === null ? parts.retryReports() : 0,
      };
      return { ...(await answer(await parts.reconcile({ explicit: true, force: false }, signal))), released };
    },

    async upload({ paths, note, by }, signal) {
      const uploads = await parts.uploads.add(paths, note, by, signal);
      // The command looks on with `uploads` while this process sends.
      parts.sendUploads?.();
      return { uploads, console: parts.uploads.hasConsole() };
    },

    uploads: ({ uploads }) => Promise.resolve({ uploads: parts.uploads.states(uploads) }),

    gc: ({ dry_run }, signal) => parts.collectGarbage(dry_run, signal),
    verify: (_input, signal) => parts.verifyAll(signal),
  };
}

function unknownRun(runId: string): OperationError {
  const message = `expected the id of a run, found "${runId}"; "edge-agent runs" lists them`;
  return new OperationError('run_unknown', message, { exitCode: 2 });
}

function problemsOf(result: ReconcileResult): ReconcileAnswer['problems'] {
  const rank = { refused: 0, stalled: 1, retry: 2 } as const;
  return result.setbacks
    .toSorted((a, b) => rank[a.kind] - rank[b.kind])
    .map(({ kind, code, message }) => ({ kind, code, message }));
}

/** Applied in full, and yet not well: that is no setback of a reconcile. */
function unhealthyIn({ flows }: Status): ReconcileAnswer['problems'] {
  return flows.flatMap(({ id, health, service }) => {
    if (health !== 'unhealthy') return [];
    const why = service?.message ?? 'its last check failed; "edge-agent events" says how';
    return [{ kind: 'unhealthy', code: 'unhealthy', message: `flow ${id} is unhealthy: ${why}` }];
  });
}

function plannedChanges(plan: Plan, active: Readonly<Record<string, { version: string }>>): PlannedChange[] {
  const changes = plan.flows.flatMap((flow) => plannedChange(flow, active[flow.spec.id]?.version ?? null));
  const gone = plan.deactivate.map(({ flow, because }) => {
    return { flow, change: 'deactivate', from: active[flow]?.version ?? null, to: null, because } as const;
  });
  return [...changes, ...gone];
}

function plannedChange(flow: FlowPlan, from: string | null): PlannedChange[] {
  const { id, version } = flow.spec;
  switch (flow.kind) {
    case 'keep':
    case 'held':
      return [];
    case 'settings':
      return [{ flow: id, change: 'settings', from, to: from, because: flow.because }];
    case 'activate':
      return [{ flow: id, change: 'activate', from, to: flow.place.version, because: flow.because }];
    case 'blocked':
      return [{ flow: id, change: 'blocked', from, to: version, because: flow.setback.message }];
  }
}
