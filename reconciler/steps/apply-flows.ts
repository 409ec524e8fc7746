import type { FlowState } from '../../schemas/agent-state.ts';
import type { FlowSpec, Release } from '../../schemas/flow-spec.ts';
import { backoffMs } from '../backoff.ts';
import {
  DONE,
  type FlowStep,
  type FlowWork,
  type ReconcileContext,
  type ReconcileState,
  type Step,
  type StepResult,
} from '../context.ts';
import { eachLimited } from '../each-limited.ts';
import type { FlowPlan, Plan } from '../plan.ts';
import type { Setback, VerifiedRelease } from '../ports.ts';
import { activate, activationBarrier } from './activate.ts';
import { fetch } from './fetch.ts';
import { health } from './health.ts';
import { prepare } from './prepare.ts';
import { unpack } from './unpack.ts';

const FLOW_STEPS: readonly FlowStep[] = [fetch, unpack, prepare, activate, health];
/** Flows that may wait for their dependencies at the same time; the steps themselves are limited by `parallelFlows`. */
const WAITING_FLOWS = 10_000;

/** Carries out the plan, flow by flow: a bad one leaves the others to proceed (contract, section 3). */
export const applyFlows: Step = {
  name: 'apply',
  async run(context, state): Promise<StepResult> {
    const plan = state.plan as Plan;
    const settled = new Map<string, PromiseWithResolvers<Setback | null>>();
    for (const flow of plan.flows) settled.set(flow.spec.id, Promise.withResolvers());
    const slots = createSlots(context.settings().parallelFlows);
    const before = context.records.flows();
    await eachLimited(plan.flows, WAITING_FLOWS, async (flow) => {
      const { id } = flow.spec;
      if (flow.kind === 'keep' && owesNothing(before.get(id))) {
        state.outcomes.set(id, { spec: flow.spec, setback: null });
        settled.get(id)?.resolve(null);
        return;
      }
      try {
        const setback =
          (await dependencySetback(flow, settled)) ??
          (await slots(() => applyFlow(context, state, flow)).catch((error: unknown) =>
            explained(context, id, error),
          ));
        context.progress.phase(id, setback === null ? 'active' : phaseOf(setback));
        noteOutcome(context, state, flow, setback);
        settled.get(id)?.resolve(setback);
      } catch (error) {
        settled.get(id)?.resolve({ kind: 'retry', code: 'preempted', message: `flow ${id}: interrupted` });
        throw error;
      }
    });
    forgetGone(context, plan);
    return deactivateFlows(context, state, plan);
  },
};

/** Of a flow that stays as it is: neither a check nor a word about what failed before. */
function owesNothing(before: FlowState | undefined): boolean {
  return before !== undefined && before.health !== 'unknown' && before.setback === null;
}

/** A fault of this machine met by one flow leaves the others to proceed; a bug of ours ends the reconcile. */
function explained(context: ReconcileContext, flow: string, error: unknown): Setback {
  context.signal.throwIfAborted();
  const setback = context.explain(error);
  if (setback === null) throw error;
  return { ...setback, message: `flow ${flow}: ${setback.message}` };
}

/** At most `limit` pieces of work at a time, first come first served. */
function createSlots(limit: number) {
  let free = limit;
  const waiting: (() => void)[] = [];
  return async <T>(work: () => Promise<T>): Promise<T> => {
    if (free > 0) free -= 1;
    else await new Promise<void>((go) => waiting.push(go));
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next === undefined) free += 1;
      else next();
    }
  };
}

async function dependencySetback(
  flow: FlowPlan,
  settled: ReadonlyMap<string, PromiseWithResolvers<Setback | null>>,
): Promise<Setback | null> {
  if (flow.kind !== 'activate' && flow.kind !== 'settings') return null;
  for (const id of flow.spec.depends_on) {
    const setback = (await settled.get(id)?.promise) ?? null;
    if (setback === null) continue;
    const message = `flow ${flow.spec.id}: waits for flow ${id}, which it depends on: ${setback.message}`;
    return setback.kind === 'retry'
      ? { kind: 'retry', code: 'dependency_pending', message }
      : { kind: 'stalled', code: 'dependency_failed', message };
  }
  return null;
}

async function applyFlow(
  context: ReconcileContext,
  state: ReconcileState,
  flow: FlowPlan,
): Promise<Setback | null> {
  const { spec } = flow;
  switch (flow.kind) {
    case 'held':
      return null;
    case 'blocked':
      return flow.setback;
    case 'keep':
      return context.records.flow(spec.id)?.health === 'unknown' ? keepChecked(context, state, spec) : null;
    case 'settings':
      return changeSettings(context, state, spec, flow.because);
    case 'activate':
      return runSteps(context, FLOW_STEPS, workOf(context, state, flow));
  }
}

function workOf(
  context: ReconcileContext,
  state: ReconcileState,
  flow: Extract<FlowPlan, { kind: 'activate' }>,
): FlowWork {
  const { spec, place, because } = flow;
  const active = context.store.current().flows[spec.id];
  return {
    spec,
    version: place.version,
    path: place.path,
    because,
    revision: (state.release as Release).revision,
    seq: (state.verified as VerifiedRelease).seq,
    unpackedElsewhere: state.unpackedDigests.has(spec.sha256),
    actions: state.actions,
    repair: active !== undefined && active.path === place.path && active.sha256 === spec.sha256,
    entrypoint: null,
  };
}

async function runSteps(
  context: ReconcileContext,
  steps: readonly FlowStep[],
  work: FlowWork,
): Promise<Setback | null> {
  for (const step of steps) {
    context.signal.throwIfAborted();
    context.progress.phase(work.spec.id, step.phase);
    const result = await step.run(context, work);
    const { version, because } = work;
    if (result.kind !== 'skip') {
      const outcome = result.kind === 'done' ? 'done' : result.kind;
      work.actions.push({ step: step.name, flow: work.spec.id, version, because, outcome });
    }
    if (result.kind !== 'done' && result.kind !== 'skip') return result;
  }
  return null;
}

/** The agent ended between activation and health: the check is still owed. */
async function keepChecked(
  context: ReconcileContext,
  state: ReconcileState,
  spec: FlowSpec,
): Promise<Setback | null> {
  const active = context.store.current().flows[spec.id];
  const settings = context.records.flow(spec.id)?.active;
  if (active === undefined || settings == null) return null;
  const because = 'its health was not checked yet';
  const place = { version: active.version, path: active.path };
  const work = {
    ...workOf(context, state, { kind: 'activate', spec, place, because }),
    // it is active and was never found well: what fails now is the version
    repair: false,
    entrypoint: settings.entrypoint,
  };
  return runSteps(context, [health], work);
}

async function changeSettings(
  context: ReconcileContext,
  state: ReconcileState,
  spec: FlowSpec,
  because: string,
): Promise<Setback | null> {
  const active = context.store.current().flows[spec.id];
  if (active === undefined) return null;
  const barrier = activationBarrier(context);
  if (barrier !== null) return barrier;
  const place = { version: active.version, path: active.path };
  const work = { ...workOf(context, state, { kind: 'activate', spec, place, because }), repair: true };
  return runSteps(context, [prepare, activate, health], work);
}

function phaseOf(setback: Setback): FlowState['phase'] {
  return setback.kind === 'retry' ? 'retrying' : setback.kind;
}

/** Keeps what became of a flow, so that a status read without a daemon says it too. */
function noteOutcome(
  context: ReconcileContext,
  state: ReconcileState,
  flow: FlowPlan,
  setback: Setback | null,
): void {
  const { spec } = flow;
  state.outcomes.set(spec.id, { spec, setback });
  const before = context.records.flow(spec.id);
  if (setback === null) {
    if (before?.setback != null) {
      context.records.saveFlow(spec.id, {
        ...before,
        setback: null,
        phase: 'active',
        failures: 0,
        next_attempt_at: null,
      });
    }
    return;
  }
  const revision = (state.release as Release).revision;
  const again = before?.desired_sha256 === spec.sha256 && before.attempted_revision === revision;
  const waits = flow.kind === 'blocked' && flow.waits;
  if (waits && again) return;
  const failures = again ? before.failures + 1 : 1;
  const wait =
    setback.kind === 'retry' ? (setback.afterMs ?? backoffMs(failures, context.chance.uniform())) : null;
  const phase = phaseOf(setback);
  const { kind, code, message } = setback;
  const now = context.clock.now();
  context.records.saveFlow(spec.id, {
    active: before?.active ?? null,
    previous: before?.previous ?? null,
    desired_version: spec.version,
    desired_sha256: spec.sha256,
    runtime: spec.runtime,
    phase,
    since: before?.phase === phase ? before.since : now.toISOString(),
    health: before?.health ?? 'unknown',
    setback: { kind, code, message },
    attempted_revision: revision,
    failures,
    next_attempt_at: wait === null ? null : new Date(now.getTime() + wait).toISOString(),
  });
  if (flow.kind !== 'blocked' || waits) return;
  const severity = setback.kind === 'retry' ? 'warning' : 'error';
  const reason = setback.kind === 'refused' ? 'UrlNotAllowed' : 'FlowStalled';
  context.events.emit({ severity, reason, message, because: code, flow: spec.id, revision });
}

/** Flows that never became active and are not asked for any more leave the status. */
function forgetGone(context: ReconcileContext, plan: Plan): void {
  const wanted = new Set(plan.flows.map((flow) => flow.spec.id));
  const { flows } = context.store.current();
  for (const id of context.records.flows().keys()) {
    if (!wanted.has(id) && flows[id] === undefined) context.records.forgetFlow(id);
  }
}

async function deactivateFlows(
  context: ReconcileContext,
  state: ReconcileState,
  plan: Plan,
): Promise<StepResult> {
  if (plan.deactivate.length === 0) return DONE;
  const barrier = activationBarrier(context);
  if (barrier !== null) return barrier;
  const { revision } = state.release as Release;
  const seq = (state.verified as VerifiedRelease).seq;
  await context.store.point(
    plan.deactivate.map(({ flow }) => ({ flow, to: null })),
    seq,
    () => {
      for (const { flow } of plan.deactivate) context.records.forgetFlow(flow);
      context.reports.statusChanged();
    },
  );
  for (const { flow, because } of plan.deactivate) {
    state.actions.push({ step: 'deactivate', flow, version: null, because, outcome: 'done' });
    const message = `flow ${flow}: not active any more; its versions go by retention`;
    context.events.emit({ severity: 'info', reason: 'FlowDeactivated', message, because, flow, revision });
  }
  return DONE;
}
