import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { Id } from '../../schemas/names.ts';
import type { Callers } from '../callers.ts';
import { isInScope, scopeOf } from '../people/actor.ts';
import type { ConsoleState } from '../state.ts';
import { readQuery, TenantQuery } from './operator-query.ts';

const Count = z.coerce.number().int().min(0).max(Number.MAX_SAFE_INTEGER);
const limit = z.coerce.number().int().min(1).max(500).default(100);
const EventsQuery = TenantQuery.extend({ agent: Id.optional(), after: Count.optional(), limit });

/** What viewers read of tenants and events. Lists are pages. */
export function readRoutes(parts: { readonly state: ConsoleState; readonly callers: Callers }) {
  const { state, callers } = parts;
  return async (app: FastifyInstance) => {
    app.addHook('onRequest', async (request) => void (await callers.actor(request)));

    app.get('/api/tenants', async (request) => {
      const scope = scopeOf(await callers.actor(request), readQuery(TenantQuery, request).tenant);
      const found = (await state.tenants.list()).filter(({ slug }) => isInScope(scope, slug));
      const tenants = found.map((tenant) => ({
        slug: tenant.slug,
        branch: `tenant/${tenant.slug}`,
        git_url: `${state.publicUrl()}/git/${tenant.slug}.git`,
        root_sha256: tenant.rootSha256,
        created_at: tenant.createdAt,
      }));
      return { tenants };
    });

    // `after=<id>`: what came in since, in order of arrival; without it the newest. `next_after` goes into the next call.
    app.get('/api/events', async (request) => {
      const { agent, tenant, after, limit } = readQuery(EventsQuery, request);
      const filter = { agent, tenants: scopeOf(await callers.actor(request), tenant), limit };
      const events =
        after === undefined ? await state.events.tail(filter) : await state.events.read({ ...filter, after });
      return { events, next_after: events.at(-1)?.id ?? after ?? 0 };
    });
  };
}
