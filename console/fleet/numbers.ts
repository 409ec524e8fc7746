import type { AgentState } from '../../schemas/console/agent.ts';
import type { StandingGroup } from '../store/ports/fleet.ts';

export interface FleetNumbers {
  /** Those of which there is none are left out. */
  readonly states: Partial<Readonly<Record<AgentState, number>>>;
  readonly connected: number;
  /** Agents that hold a flow back, also silent ones: that is nothing that ends by itself. */
  readonly held: number;
  /** Runs. */
  readonly running: number;
  readonly queued: number;
}

/** Pure. Revoked agents count among the states alone; what a silent one did when it last spoke is not what it does now. */
export function numbersOf(groups: readonly StandingGroup[]): FleetNumbers {
  const states: Partial<Record<AgentState, number>> = {};
  let [connected, held, running, queued] = [0, 0, 0, 0];
  for (const group of groups) {
    states[group.state] = (states[group.state] ?? 0) + group.agents;
    if (group.state === 'revoked') continue;
    connected += group.connected;
    held += group.held;
    if (group.state === 'unreachable') continue;
    running += group.running;
    queued += group.queued;
  }
  return { states, connected, held, running, queued };
}
