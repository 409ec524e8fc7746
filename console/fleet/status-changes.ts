import type { AgentChange, AgentState } from '../../schemas/console/agent.ts';
import type { Suspension } from '../../schemas/status.ts';
import type { Standing } from './agent-state.ts';
import type { FlowSummary, StatusSummary } from './status-summary.ts';

/** What was known of an agent before a status: of one that never reported, nothing. */
export interface KnownStanding {
  readonly state: AgentState | null;
  readonly suspended: Suspension | null;
  readonly appliedRevision: string | null;
  readonly flows: readonly FlowSummary[];
}

export type StatusChange = Omit<AgentChange, 'id' | 'at' | 'agent_id' | 'tenant' | 'hostname'>;

const PLAIN = { from: null, to: null, flow: null, reason: null, message: null };

/** How an agent stands that has sent this status. */
export function standingOf(
  { stalled, ready, health, suspended }: StatusSummary,
  { revoked, lastSeenAt }: Pick<Standing, 'revoked' | 'lastSeenAt'>,
): Standing {
  return {
    revoked,
    reported: true,
    stalled,
    unhealthy: health === 'unhealthy',
    suspended: suspended !== null,
    ready,
    lastSeenAt,
  };
}

/** What a status changes. The first one is compared with nothing: what it says is new. */
export function statusChanges(
  known: KnownStanding,
  summary: StatusSummary,
  state: AgentState,
): StatusChange[] {
  const changes: StatusChange[] = [];
  if (summary.suspended !== null && known.suspended === null) {
    const { by, why } = summary.suspended;
    changes.push({ ...PLAIN, kind: 'suspended', reason: by, message: why });
  }
  if (summary.suspended === null && known.suspended !== null) changes.push({ ...PLAIN, kind: 'resumed' });
  if (summary.appliedRevision !== null && known.appliedRevision !== summary.appliedRevision) {
    const message = summary.commitOf === summary.appliedRevision ? (summary.commit?.subject ?? null) : null;
    const [from, to] = [known.appliedRevision, summary.appliedRevision];
    changes.push({ ...PLAIN, kind: 'revision', from, to, message });
  }
  changes.push(...flowChanges(known.flows, summary));
  // Last, so that it is the newest: what the other ones lead to.
  if (known.state !== state) {
    const { reason = null, message = null } = summary.problem ?? {};
    changes.push({ ...PLAIN, kind: 'state', from: known.state ?? 'waiting', to: state, reason, message });
  }
  return changes;
}

/** A roll back by hand is said as such, with who and why; one that the agent made itself with what was wrong with the version. */
function flowChanges(was: readonly FlowSummary[], summary: StatusSummary): StatusChange[] {
  const changes: StatusChange[] = [];
  const before = new Map(was.map((each) => [each.flow, each]));
  for (const { flow, active, held } of summary.flows) {
    const from = before.get(flow)?.active ?? null;
    const wasHeld = before.get(flow)?.held === true;
    const of = { ...PLAIN, flow, from: from === active ? null : from, to: active };
    if (wasHeld && !held) changes.push({ ...PLAIN, kind: 'released', flow, from });
    if (held && !(wasHeld && from === active)) {
      const { by: reason = null, why: message = null } =
        summary.held.find((each) => each.flow === flow) ?? {};
      changes.push({ ...of, kind: 'held', reason, message });
    } else if (from !== active) {
      const message = from === null ? null : (summary.givenUp.get(flow) ?? null);
      changes.push({
        ...of,
        kind: 'version',
        ...(message === null ? {} : { reason: 'quarantined', message }),
      });
    }
    before.delete(flow);
  }
  for (const [flow, { active: from }] of before) {
    if (from !== null) changes.push({ ...PLAIN, kind: 'version', flow, from, to: null });
  }
  return changes;
}
