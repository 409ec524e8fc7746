import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { Role } from '../../schemas/console/people.ts';
import { Slug } from '../../schemas/names.ts';
import { type Actor, allow } from '../people/actor.ts';
import { notFound } from '../refusal.ts';
import { parseQuery } from '../request-query.ts';
import type { ConsoleState } from '../state.ts';
import type { Agent } from '../store/ports/agents.ts';

/** Every address of an operator takes it, and it means the same: what is not that tenant's is not there. */
export const TenantQuery = z.strictObject({ tenant: Slug.optional() });

/** A parameter that is not known is refused: a misspelt `tenant` would show what it was to hide. */
export function readQuery<T extends z.ZodType>(schema: T, request: FastifyRequest): z.infer<T> {
  return parseQuery(schema, request.query);
}

/**
 * The agent the path names; with a tenant only when it is that tenant's. Throws 404 when it is not there, or not the actor's to
 * see, and 403 when the actor's role there is too small.
 */
export async function agentOf(
  state: ConsoleState,
  request: FastifyRequest,
  { tenant }: z.infer<typeof TenantQuery>,
  actor: Actor,
  role: Role = 'viewer',
): Promise<Agent> {
  const found = await state.agents.get((request.params as { id: string }).id);
  const agent = tenant === undefined || found?.tenant === tenant ? found : null;
  const absent = () => notFound('expected the id of an agent, found no such agent');
  allow(actor, agent?.tenant ?? null, role, absent);
  if (agent === null) throw absent();
  return agent;
}
