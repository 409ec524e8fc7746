import { AgentState } from '../../schemas/console/agent.ts';
import type { HeldBack, Overview } from '../../schemas/console/overview.ts';
import type { ChangeStore, FleetStore } from '../store/ports/fleet.ts';
import type { ReleaseStore } from '../store/ports/releases.ts';
import type { TenantScope } from '../store/ports/tenant-scope.ts';
import { numbersOf } from './numbers.ts';
import { isOnItsWay, rollout } from './rollout.ts';
import { decidingState, verdictOf } from './verdict.ts';

const HOUR_MS = 60 * 60_000;
const WORST_MAX = 10;
const CHANGES_MAX = 50;
const ROLLOUTS_MAX = 5;
const HELD_NAMED_MAX = 3;

/** Everything of the first page, in one answer. */
export async function overview(
  stores: { readonly agents: FleetStore; readonly changes: ChangeStore; readonly releases: ReleaseStore },
  scope: TenantScope,
  tenants: readonly string[],
  now: Date,
): Promise<Overview> {
  const lastHour = new Date(now.getTime() - HOUR_MS);
  const standings = await stores.agents.standings(scope, now);
  const numbers = numbersOf(standings);
  const state = decidingState(numbers.states);
  const reasons = state === null ? [] : await stores.agents.reasons(scope, [state], now, 1);
  const held = await heldBack(stores.agents, scope, numbers.held);
  const facts = { tenants: tenants.length, states: numbers.states, main: reasons[0] ?? null, held };
  const verdict = verdictOf(facts);
  const newest = await stores.releases.newest(scope);
  return {
    time: now.toISOString(),
    tenants: [...tenants],
    verdict,
    states: Object.fromEntries(
      AgentState.options.map((each) => [each, numbers.states[each] ?? 0]),
    ) as Overview['states'],
    total: verdict.total,
    connected: numbers.connected,
    held,
    runs: {
      running: numbers.running,
      queued: numbers.queued,
      ...(await stores.agents.endedRuns(scope, lastHour)),
    },
    worst: await stores.agents.worst(scope, now, WORST_MAX),
    changes: await stores.changes.groups(scope, lastHour, CHANGES_MAX),
    rollouts: newest
      .map((release) => rollout(release, standings))
      .filter(isOnItsWay)
      .slice(0, ROLLOUTS_MAX),
  };
}

/** Which flows is asked for only where there are some. */
async function heldBack(agents: FleetStore, scope: TenantScope, count: number): Promise<HeldBack> {
  if (count === 0) return { agents: 0, flows: 0, names: [] };
  const { names, total } = await agents.heldFlows(scope, HELD_NAMED_MAX);
  return { agents: count, flows: total, names };
}
