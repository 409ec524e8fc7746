import type { FlowSpec, Release } from '../../schemas/flow-spec.ts';
import type { Runtime } from '../../schemas/manifest-v1.ts';
import type { ReconcileContext, Step, StepResult } from '../context.ts';
import { DONE } from '../context.ts';
import { eachLimited } from '../each-limited.ts';
import { isActiveAs, type Plan, planRelease } from '../plan.ts';
import type { Stalled } from '../ports.ts';
import { takenNames } from '../version-place.ts';

/** What has to be done on this machine. Reads what is so; decides in reconciler/plan.ts. */
export const plan: Step = {
  name: 'plan',
  async run(context, state): Promise<StepResult> {
    const release = state.release as Release;
    const current = context.store.current();
    const drifted = await findDrift(context, release.flows);
    const changes = release.flows.some((spec) => {
      const active = current.flows[spec.id];
      return active === undefined || drifted.has(spec.id) || !isActiveAs(active, spec);
    });
    // what is on disk only matters for naming something new
    const records = changes ? await context.store.versions() : [];
    const taken = new Map([...context.records.names(), ...takenNames(records, current)]);
    state.unpackedDigests = new Set(records.filter(({ made }) => made).map(({ sha256 }) => sha256));
    const { labels, arch } = context.settings();
    const decided = planRelease(
      release,
      {
        current,
        taken,
        states: context.records.flows(),
        quarantines: context.records.quarantines(),
        drifted,
        labels,
        arch,
        unsupported: await unsupportedRuntimes(context, release.flows),
        allows: (url) => context.bundles.allows(url),
        explicit: context.explicit,
      },
      context.now,
    );
    state.plan = decided;
    if (!context.dryRun) writeIntent(context, release, decided);
    return DONE;
  },
};

async function findDrift(
  context: ReconcileContext,
  flows: readonly FlowSpec[],
): Promise<Map<string, string>> {
  const drifted = new Map<string, string>();
  const current = context.store.current();
  const active = flows.filter((spec) => current.flows[spec.id] !== undefined);
  const depth = !context.settings().deepCheck ? 'quick' : context.explicit ? 'touched' : 'deep';
  await eachLimited(active, 16, async (spec) => {
    const path = (current.flows[spec.id] as { path: string }).path;
    const checked = context.force
      ? ({ kind: 'drifted', message: 'asked to apply again (--force)' } as const)
      : await context.store.check(path, depth, context.signal);
    if (checked.kind === 'intact') return;
    drifted.set(spec.id, checked.message);
    if (context.force || context.dryRun) return;
    const message = `flow ${spec.id}: the version on disk is not what was unpacked: ${checked.message}`;
    context.events.emit({ severity: 'warning', reason: 'DriftDetected', message, flow: spec.id });
  });
  return drifted;
}

async function unsupportedRuntimes(
  context: ReconcileContext,
  flows: readonly FlowSpec[],
): Promise<Map<Runtime, Stalled>> {
  const unsupported = new Map<Runtime, Stalled>();
  for (const runtime of new Set(flows.map((flow) => flow.runtime))) {
    const executor = context.executors.get(runtime);
    const answer =
      executor === undefined
        ? ({
            kind: 'stalled',
            code: 'runtime_unsupported',
            message: `this agent has no executor for runtime ${runtime}`,
          } as const)
        : await executor.supports(context.settings().runs, context.signal);
    if (answer.kind === 'stalled') unsupported.set(runtime, answer);
  }
  return unsupported;
}

/** Step 1 of the crash protocol: the intent and `last_attempted_revision`, in one transaction, before anything is touched. */
function writeIntent(context: ReconcileContext, release: Release, decided: Plan): void {
  const flows = decided.flows.flatMap((flow) =>
    flow.kind === 'activate' ? [{ path: flow.place.path, spec: flow.spec }] : [],
  );
  const before = context.records.source().last_attempted_revision;
  if (flows.length === 0 && before === release.revision) return;
  context.records.transaction(() => {
    context.records.saveSource({ last_attempted_revision: release.revision });
    context.records.saveIntent(flows.length === 0 ? null : { revision: release.revision, flows });
  });
}
