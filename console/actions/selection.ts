import type { z } from 'zod';
import type { ActionAnswer, ActionName, ActionRequest } from '../../schemas/console/action.ts';
import type { Role } from '../../schemas/console/people.ts';
import { type Actor, allow, isInScope } from '../people/actor.ts';
import { notFound, RequestRefused } from '../refusal.ts';
import type { ConsoleState } from '../state.ts';
import type { TenantScope } from '../store/ports/tenant-scope.ts';
import type { Target } from './action-plan.ts';

const NAMED_MAX = 5;

/** Who asks, and of which tenants they may know. */
export interface Asker {
  readonly actor: Actor;
  readonly scope: TenantScope;
}

/** What it takes to ask that of an agent. */
export function roleFor(action: ActionName): Role {
  return action === 'revoke' ? 'admin' : 'operator';
}

/** Throws 404 or 403, as `selectTargets`, when the actor may not have asked that of these agents now. */
export function expectAllowed(
  { actor, scope }: Asker,
  { action, outcomes }: Pick<ActionAnswer, 'action' | 'outcomes'>,
): void {
  for (const tenant of new Set(outcomes.map((each) => each.tenant))) {
    const seen = isInScope(scope, tenant) ? tenant : null;
    const absent = () => notFound('expected ids of agents, found no such agent', 'agent_unknown');
    allow(actor, seen, roleFor(action), absent);
  }
}

/**
 * Whom a request is about. Throws 404 when one of the named agents is not there (or not the actor's to see), 403 when the
 * actor's role is too small for one of them, 409 `selection_changed` when more or fewer match the filter than were shown, and 422
 * when they are more than `most`. A dry run is there to say how many match: it may find any number.
 */
export async function selectTargets(
  parts: {
    readonly state: ConsoleState;
    readonly isConnected: (agentId: string) => boolean;
    readonly most: number;
  },
  { actor, scope }: Asker,
  role: Role,
  request: Pick<z.output<typeof ActionRequest>, 'targets' | 'dry_run'>,
): Promise<Target[]> {
  const { state, isConnected, most } = parts;
  const ids = 'agents' in request.targets ? [...new Set(request.targets.agents)] : await matching();
  const targets: Target[] = [];
  const missing: string[] = [];
  for (const id of ids) {
    const agent = await state.agents.get(id);
    if (agent === null || !isInScope(scope, agent.tenant)) missing.push(id);
    else {
      const { agent_id, tenant, hostname, revoked_at } = agent;
      targets.push({ agent_id, tenant, hostname, revoked_at, connected: isConnected(agent_id) });
    }
  }
  if (missing.length > 0) {
    const more = missing.length > NAMED_MAX ? ` and ${missing.length - NAMED_MAX} more` : '';
    const named = missing.slice(0, NAMED_MAX).join(', ');
    throw notFound(`expected ids of agents, found no such agent: ${named}${more}`, 'agent_unknown');
  }
  for (const tenant of new Set(targets.map((target) => target.tenant))) {
    allow(actor, tenant, role, () => notFound('expected ids of agents, found no such agent'));
  }
  return targets;

  async function matching(): Promise<string[]> {
    if (!('filter' in request.targets)) return [];
    const { expected, filter } = request.targets;
    const selection = { scope, filter, now: state.clock.now() };
    const { ids: found, total } = await state.fleet.agents.matching(selection, most);
    if (total > most) {
      const message = `expected at most ${most} agents at one time, found ${total} that match; narrow the filter`;
      throw new RequestRefused(422, 'too_many_agents', message);
    }
    if (!request.dry_run && total !== expected) {
      const message = `expected ${expected} agents to match, found ${total}; look again and confirm anew`;
      throw new RequestRefused(409, 'selection_changed', message);
    }
    return found;
  }
}
