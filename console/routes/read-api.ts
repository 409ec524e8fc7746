import type { FastifyInstance } from 'fastify';
import type { Callers } from '../callers.ts';
import { isInScope, scopeOf } from '../people/actor.ts';
import type { ConsoleState } from '../state.ts';
import { readQuery, TenantQuery } from './operator-query.ts';

/** The tenants that whoever asks may see. */
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
  };
}
