import { resolveEntrypoint } from '../reconciler/entrypoint.ts';
import type { VersionStore } from '../reconciler/ports.ts';
import type { AgentRecords } from '../reconciler/records.ts';
import type { FlowState } from '../schemas/agent-state.ts';
import type { FlowSpec } from '../schemas/flow-spec.ts';

/**
 * After a crash between the pointer and the database, or a disk that took the one and not the other, the pointer is the truth
 * and the database follows it (crash protocol, steps 7 and 8): what the intent said is taken over for every flow that the
 * pointer shows as done. The flows it followed.
 */
export async function followPointer(
  records: AgentRecords,
  store: VersionStore,
  now: Date,
): Promise<readonly string[]> {
  const current = store.current();
  const intended = new Map(records.intent()?.flows.map((flow) => [flow.path, flow.spec]) ?? []);
  const followed: string[] = [];
  const states = records.flows();
  for (const [id, active] of Object.entries(current.flows)) {
    const state = states.get(id) ?? null;
    if (state?.active?.spec.sha256 === active.sha256) continue;
    const spec = intended.get(active.path);
    if (spec === undefined || spec.sha256 !== active.sha256) {
      // rolled back before the database knew: the settings it would go back to are there
      if (state?.previous?.spec.sha256 === active.sha256) {
        records.saveFlow(id, { ...state, active: state.previous, previous: state.active });
        followed.push(id);
      }
      continue;
    }
    const entrypoint = await resolveEntrypoint(store, spec, active.path);
    if (entrypoint.kind === 'stalled') continue;
    records.saveFlow(id, activeState(spec, entrypoint.entrypoint, active, state, now));
    followed.push(id);
  }
  for (const [id, state] of states) {
    if (current.flows[id] === undefined && state.active !== null)
      records.saveFlow(id, { ...state, active: null });
  }
  return followed;
}

function activeState(
  spec: FlowSpec,
  entrypoint: string,
  active: { version: string; revision: string },
  before: FlowState | null,
  now: Date,
): FlowState {
  return {
    active: { spec, entrypoint, revision: active.revision },
    previous: before?.active ?? null,
    desired_version: active.version,
    desired_sha256: spec.sha256,
    runtime: spec.runtime,
    phase: 'active',
    since: now.toISOString(),
    health: 'unknown',
    setback: null,
    attempted_revision: active.revision,
    failures: 0,
    next_attempt_at: null,
  };
}
