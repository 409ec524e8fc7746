import type { FlowState } from '../../schemas/agent-state.ts';
import { DONE, type FlowStep, type FlowWork, type ReconcileContext, type StepResult } from '../context.ts';
import type { Retry } from '../ports.ts';
import { inMaintenanceWindow } from '../window.ts';

const MINUTE_MS = 60_000;

/** Why nothing may be activated now, or null: suspended by a person, or outside the maintenance windows. */
export function activationBarrier(context: ReconcileContext): Retry | null {
  const now = context.clock.now();
  const suspension = context.records.suspension(now);
  if (suspension !== null) {
    const until = suspension.until === null ? 'until "edge-agent resume"' : `until ${suspension.until}`;
    const message = `suspended by ${suspension.by} ${until}: ${suspension.why}`;
    const afterMs =
      suspension.until === null ? undefined : Math.max(0, Date.parse(suspension.until) - now.getTime());
    return { kind: 'retry', code: 'suspended', message, ...(afterMs === undefined ? {} : { afterMs }) };
  }
  const { windows, timezone } = context.settings();
  if (inMaintenanceWindow(windows, now, timezone)) return null;
  const message = `expected a minute of maintenance.windows (${windows?.join('; ') || 'none'}), found ${now.toISOString()}`;
  return { kind: 'retry', code: 'outside_window', message, afterMs: MINUTE_MS - (now.getTime() % MINUTE_MS) };
}

/** Steps 7 and 8 of the crash protocol: the pointer, then the database with what goes out. */
export const activate: FlowStep = {
  name: 'activate',
  phase: 'activating',
  async run(context, work): Promise<StepResult> {
    const { spec, path, version, revision } = work;
    const at = { flow: spec.id, version, revision };
    const barrier = work.repair ? null : activationBarrier(context);
    if (barrier !== null) {
      context.events.emit({
        severity: 'info',
        reason: 'ActivationDeferred',
        message: `flow ${spec.id}: ${version} is ready and waits: ${barrier.message}`,
        ...at,
      });
      return barrier;
    }
    context.signal.throwIfAborted();
    const before = context.store.current().flows[spec.id];
    const activated = () => {
      context.records.saveFlow(spec.id, activeState(context, work));
      context.records.fixName(path, spec.sha256);
      context.reports.statusChanged();
    };
    if (work.repair && before?.path === path) context.records.transaction(activated);
    else {
      const to = { version, sha256: spec.sha256, path, revision, held: null };
      await context.store.point([{ flow: spec.id, to }], work.seq, activated);
    }
    context.events.emit({
      severity: 'info',
      reason: 'VersionActivated',
      message: `flow ${spec.id}: ${version} is active${before === undefined ? '' : `, ${before.version} was`}`,
      because: work.because,
      ...at,
    });
    return DONE;
  },
};

function activeState(context: ReconcileContext, work: FlowWork): FlowState {
  const before = context.records.flow(work.spec.id);
  // a repair and a change of settings leave the pointer where it is
  const revision = work.repair
    ? (context.store.current().flows[work.spec.id]?.revision ?? work.revision)
    : work.revision;
  const commit =
    revision === work.revision ? context.records.source().commit : (before?.active?.commit ?? null);
  const active = { spec: work.spec, entrypoint: work.entrypoint as string, revision, commit };
  return {
    active,
    previous: work.repair ? (before?.previous ?? null) : (before?.active ?? null),
    desired_version: work.version,
    desired_sha256: work.spec.sha256,
    runtime: work.spec.runtime,
    phase: 'active',
    since: context.clock.now().toISOString(),
    // Without a check of its own there is nothing to wait for, but for a service to answer.
    health: work.spec.health === null && work.spec.runtime !== 'service' ? 'healthy' : 'unknown',
    setback: null,
    attempted_revision: work.revision,
    failures: 0,
    next_attempt_at: null,
  };
}
