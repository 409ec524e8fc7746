import { DONE, type ReconcileContext, type Step, type StepResult } from '../context.ts';
import type { VersionRecord } from '../ports.ts';
import { type PruneDecision, versionsToPrune } from '../retention.ts';

/** Versions that unfinished runs and services hold: garbage collection goes round them (design.md). */
function leasedPaths(context: Pick<ReconcileContext, 'runs' | 'services'>): Set<string> {
  return new Set([...context.runs.leases(), ...(context.services?.leases() ?? [])]);
}

/** Versions made ahead that wait for a window, or for a resume. */
function waitingPaths(context: ReconcileContext, records: readonly VersionRecord[]): string[] {
  const waiting = new Map([...context.records.flows()].map(([id, flow]) => [id, flow.desired_sha256]));
  const digests = new Set(waiting.values());
  return records
    .filter(({ flow, sha256 }) => (flow === null ? digests.has(sha256) : waiting.get(flow) === sha256))
    .map((record) => record.path);
}

/** Removes the versions that retention lets go, or only says which when `dryRun`. */
export async function pruneVersions(context: ReconcileContext, dryRun: boolean): Promise<PruneDecision[]> {
  const records = await context.store.versions();
  const names = context.records.names();
  const decisions = versionsToPrune(
    records,
    context.store.current(),
    new Set([...leasedPaths(context), ...waitingPaths(context, records)]),
    context.settings().retention,
    context.now,
    (record) => names.has(record.path.toLowerCase()),
  );
  if (dryRun) return decisions;
  for (const { record, because } of decisions) {
    const bytes = await context.store.remove(record.path);
    context.events.emit({
      severity: 'info',
      reason: 'VersionPruned',
      message: `${record.path} is removed (${bytes} bytes)`,
      because,
      version: record.version,
      ...(record.flow === null ? {} : { flow: record.flow }),
    });
  }
  return decisions;
}

/** After something changed, what nobody needs any more goes. */
export const prune: Step = {
  name: 'prune',
  async run(context, state): Promise<StepResult> {
    const changed = state.actions.some(
      (action) => action.step === 'activate' || action.step === 'deactivate',
    );
    if (!changed) return { kind: 'skip', because: 'nothing changed' };
    for (const { record, because } of await pruneVersions(context, false)) {
      const { flow, version } = record;
      state.actions.push({ step: 'prune', flow, version, because, outcome: 'done' });
    }
    return DONE;
  },
};
