import type { Current } from '../schemas/current.ts';
import type { EventSink, ReportSink, Stalled, VersionStore } from './ports.ts';
import type { AgentRecords } from './records.ts';

export interface RollBackDeps {
  readonly store: Pick<VersionStore, 'current' | 'point'>;
  readonly records: AgentRecords;
  readonly events: EventSink;
  readonly reports: ReportSink;
}

/** An active version that turned out to be bad. */
export interface BadVersion {
  readonly flow: string;
  readonly version: string;
  readonly sha256: string;
  readonly revision: string;
  /** What it did, as a clause after its name: `failed its health check`. */
  readonly did: string;
  /** What was seen, as a sentence without its full stop. */
  readonly why: string;
}

export interface RollBackOptions {
  readonly now: Date;
  readonly seq: Current['seq'];
  /** What to do when there is nothing to go back to: leave it active, or leave the flow without a version. */
  readonly withoutPrevious: 'keep' | 'deactivate';
}

export type RollBackResult =
  | { readonly kind: 'rolled_back'; readonly to: string | null; readonly setback: Stalled }
  /** Nothing changed: it is not what is active any more, a person holds it, or there is no version to go back to. */
  | { readonly kind: 'kept'; readonly message: string };

/**
 * Puts the previous version of a flow back, quarantines the digest that failed until a newer one, other settings or `retry`, says so
 * (`RolledBack`) and reports the status: steps 7 and 8 of the crash protocol. A quarantined version is nothing to go back to.
 * Not to be called beside a reconcile: from a step of it, or under the agent's `exclusive`. Rejects as `store.point` does.
 */
export async function rollBack(
  deps: RollBackDeps,
  bad: BadVersion,
  options: RollBackOptions,
): Promise<RollBackResult> {
  const { flow, version, sha256, revision, why } = bad;
  const { records } = deps;
  const active = deps.store.current().flows[flow];
  if (active === undefined || active.version !== version || active.sha256 !== sha256) {
    const found = active === undefined ? 'no version' : active.version;
    return { kind: 'kept', message: `flow ${flow}: expected ${version} to be active, found ${found}` };
  }
  if (active.held !== null) {
    return { kind: 'kept', message: `flow ${flow}: ${version} stays active, held by ${active.held.by}` };
  }
  const previous =
    active.previous === null || records.quarantines().has(active.previous.sha256) ? null : active.previous;
  if (previous === null && options.withoutPrevious === 'keep') {
    return { kind: 'kept', message: `flow ${flow}: ${version} stays active, there is none to go back to` };
  }
  const { previous: before, active: settings } = records.flow(flow) ?? {};
  const from = before?.revision ?? revision;
  const message =
    previous === null
      ? `flow ${flow}: nothing is active, ${version} was the first and failed: ${why}`
      : `flow ${flow}: ${previous.version} is active again, ${why}`;
  const setback = { kind: 'stalled', code: 'health_failed', message } as const;
  const to = previous === null ? null : { ...previous, revision: from, held: null };
  await deps.store.point([{ flow, to }], options.seq, () => {
    records.saveQuarantine(sha256, {
      cause: 'health',
      flow,
      spec: settings?.spec ?? null,
      revision,
      message: `${version} ${bad.did}: ${why}`,
      at: options.now.toISOString(),
    });
    const state = records.flow(flow);
    if (state !== null) {
      const restored = { active: state.previous, previous: state.active };
      records.saveFlow(flow, { ...state, ...restored, health: 'unknown', setback });
    }
    deps.reports.statusChanged();
  });
  deps.events.emit({ severity: 'error', reason: 'RolledBack', message, flow, version, revision });
  return { kind: 'rolled_back', to: previous?.version ?? null, setback };
}
