import { AgentState } from '../../schemas/console/agent.ts';

/** Two status intervals and a bit: one status may be lost on its way. */
export const UNREACHABLE_AFTER_MS = 11 * 60_000;

/** Worst first: the order of the enumeration is the order of the list. */
export const STATES_WORST_FIRST: readonly AgentState[] = AgentState.options;

/** What decides how an agent stands. */
export interface Standing {
  readonly revoked: boolean;
  /** It has sent a status since it was enrolled. */
  readonly reported: boolean;
  readonly stalled: boolean;
  /** One of its flows is. */
  readonly unhealthy: boolean;
  readonly suspended: boolean;
  readonly ready: boolean;
  /** When it was last heard of, by status, call or tunnel. */
  readonly lastSeenAt: Date | null;
}

/**
 * How an agent stands. What needs a person comes before what only takes time: a stalled agent that is silent as well is stalled.
 * A suspended one is not on its way, whatever it was about to apply. `standing-columns.ts` says the same in SQL, and a test holds
 * the two together.
 */
export function agentState(standing: Standing, now: Date): AgentState {
  if (standing.revoked) return 'revoked';
  if (!standing.reported) return 'waiting';
  if (standing.stalled) return 'stalled';
  if (standing.unhealthy) return 'unhealthy';
  if (standing.lastSeenAt === null || standing.lastSeenAt.getTime() < silentSince(now).getTime()) {
    return 'unreachable';
  }
  if (standing.suspended) return 'suspended';
  return standing.ready ? 'ready' : 'reconciling';
}

/** Who was heard of last before this moment is unreachable. */
export function silentSince(now: Date): Date {
  return new Date(now.getTime() - UNREACHABLE_AFTER_MS);
}
