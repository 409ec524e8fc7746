import type { Action } from '../schemas/status.ts';
import { type Conclusion, conclude, progressing } from './conditions.ts';
import type { ReconcileContext, ReconcileDeps, ReconcileState, Step, StepResult } from './context.ts';
import { isNoop, type Plan } from './plan.ts';
import type { Setback } from './ports.ts';
import { readOnlyRecords } from './read-only-records.ts';
import { applyFlows } from './steps/apply-flows.ts';
import { markApplied } from './steps/mark-applied.ts';
import { plan } from './steps/plan.ts';
import { prune } from './steps/prune.ts';
import { resolve } from './steps/resolve.ts';
import { verify } from './steps/verify.ts';
import { createTransitionEvents, type TransitionEvents } from './transition-events.ts';

const SILENT: TransitionEvents = { emit: () => {}, settle: () => {} };
const LOOKING: readonly Step[] = [resolve, verify, plan];
const DOING: readonly Step[] = [applyFlows, markApplied, prune];

export interface ReconcileOptions {
  readonly signal: AbortSignal;
  readonly explicit?: boolean;
  readonly force?: boolean;
  readonly dryRun?: boolean;
  /** `source.interval` in force, for the next wake-up. */
  readonly intervalMs: number;
}

export interface ReconcileResult extends Conclusion {
  readonly revision: string | null;
  readonly setbacks: readonly Setback[];
  readonly actions: readonly Action[];
  readonly plan: Plan | null;
}

/** One reconcile: the steps in order, and then the one conclusion. Aborts reject with the signal's reason. */
export async function reconcile(deps: ReconcileDeps, options: ReconcileOptions): Promise<ReconcileResult> {
  const context = makeContext(deps, options);
  const state: ReconcileState = {
    found: null,
    snapshot: null,
    verified: null,
    release: null,
    plan: null,
    unpackedDigests: new Set(),
    outcomes: new Map(),
    actions: [],
  };
  const setbacks: Setback[] = [];
  for (const step of options.dryRun === true ? LOOKING : [...LOOKING, ...DOING]) {
    options.signal.throwIfAborted();
    const result = await runStep(step, context, state);
    if (result.kind === 'done' || result.kind === 'skip') continue;
    setbacks.push(result);
    break;
  }
  options.signal.throwIfAborted();
  for (const outcome of state.outcomes.values()) if (outcome.setback !== null) setbacks.push(outcome.setback);
  if (options.dryRun === true) setbacks.push(...blockedIn(state.plan));
  try {
    return settle(context, state, setbacks, options);
  } catch (error) {
    const setback = context.explain(error);
    if (setback === null) throw error;
    return unsettled(context, state, [...setbacks, setback], options);
  }
}

/** The same conclusion when it cannot be written: the disk is full, say. */
function unsettled(
  context: ReconcileContext,
  state: ReconcileState,
  setbacks: readonly Setback[],
  options: ReconcileOptions,
): ReconcileResult {
  const revision = state.found?.revision ?? null;
  const outcome = { revision, setbacks, unhealthy: [], held: [], warnings: [] };
  const pace = { intervalMs: options.intervalMs, failures: 1, uniform: context.chance.uniform() };
  const conclusion = conclude(outcome, [], context.clock.now(), pace);
  return { ...conclusion, revision, setbacks, actions: state.actions, plan: state.plan };
}

async function runStep(step: Step, context: ReconcileContext, state: ReconcileState): Promise<StepResult> {
  try {
    if (step === applyFlows) announce(context, state);
    return await step.run(context, state);
  } catch (error) {
    context.signal.throwIfAborted();
    const setback = context.explain(error);
    if (setback === null) throw error;
    return setback;
  }
}

function makeContext(
  deps: ReconcileDeps,
  options: ReconcileOptions,
): ReconcileContext & { events: TransitionEvents } {
  const dryRun = options.dryRun === true;
  return {
    ...deps,
    ...(dryRun ? { records: readOnlyRecords(deps.records), onPolicy: () => {} } : {}),
    events: dryRun ? SILENT : createTransitionEvents(deps.events, deps.records),
    signal: options.signal,
    now: deps.clock.now(),
    explicit: options.explicit === true || options.force === true,
    force: options.force === true,
    dryRun,
    downloads: new Map(),
  };
}

/** Says that work is under way before it is done, so that a long first download is no silence. */
function announce(context: ReconcileContext, state: ReconcileState): void {
  if (state.plan === null || isNoop(state.plan)) return;
  if (!state.plan.flows.some((flow) => flow.kind === 'activate')) return;
  const revision = state.release?.revision ?? null;
  context.records.saveConditions(progressing(context.records.conditions(), revision, context.now));
  context.reports.statusChanged();
}

function blockedIn(plan: Plan | null): Setback[] {
  return plan?.flows.flatMap((flow) => (flow.kind === 'blocked' ? [flow.setback] : [])) ?? [];
}

function waitingIn(plan: Plan | null): Set<string> {
  const waiting = plan?.flows.filter((flow) => flow.kind === 'blocked' && flow.waits) ?? [];
  return new Set(waiting.map((flow) => flow.spec.id));
}

function settle(
  context: ReconcileContext & { events: TransitionEvents },
  state: ReconcileState,
  setbacks: readonly Setback[],
  options: ReconcileOptions,
): ReconcileResult {
  const { records } = context;
  const now = context.clock.now();
  const source = records.source();
  const before = records.conditions();
  const current = context.store.current();
  const flows = records.flows();
  const failures = setbacks.length === 0 ? 0 : source.failures + 1;
  const revision = state.found?.revision ?? source.desired_revision;
  const conclusion = conclude(
    {
      revision,
      setbacks,
      unhealthy: [...flows].flatMap(([id, flow]) =>
        current.flows[id] && flow.health === 'unhealthy' ? [id] : [],
      ),
      warnings: (state.verified?.warnings ?? []).flatMap(({ reason, message }) =>
        reason === 'ReleaseExpiring' ? [message] : [],
      ),
      held:
        state.plan?.flows.flatMap((flow) =>
          flow.kind === 'held' ? [`${flow.spec.id} at ${current.flows[flow.spec.id]?.version}`] : [],
        ) ?? [],
    },
    before,
    now,
    { intervalMs: options.intervalMs, failures, uniform: context.chance.uniform() },
  );
  const next_attempt_at = new Date(now.getTime() + conclusion.wakeInMs).toISOString();
  records.transaction(() => {
    records.saveSource({ failures, next_attempt_at });
    if (!sameConditions(before, conclusion.conditions)) {
      records.saveConditions(conclusion.conditions);
      context.reports.statusChanged();
    }
  });
  noteConclusion(context, conclusion, setbacks, revision);
  context.events.settle(waitingIn(state.plan));
  return { ...conclusion, revision, setbacks, actions: state.actions, plan: state.plan };
}

function noteConclusion(
  context: ReconcileContext,
  conclusion: Conclusion,
  setbacks: readonly Setback[],
  revision: string | null,
): void {
  const [condition] = conclusion.conditions;
  if (setbacks.length === 0 || condition === undefined) return;
  const stalled = conclusion.conditions.some((condition) => condition.type === 'Stalled');
  context.events.emit({
    severity: stalled ? 'error' : 'warning',
    reason: stalled ? 'ReconcileStalled' : 'ReconcileRetrying',
    message: condition.message,
    because: condition.reason,
    ...(revision === null ? {} : { revision }),
  });
}

function sameConditions(a: Conclusion['conditions'], b: Conclusion['conditions']): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
