import type { FastifyInstance } from 'fastify';
import { TenantQuery } from '../../schemas/console/page.ts';
import { TenantsAnswer } from '../../schemas/console/token.ts';
import type { Callers } from '../callers.ts';
import { operation } from '../openapi/operation.ts';
import { isInScope, scopeOf } from '../people/actor.ts';
import type { ConsoleState } from '../state.ts';
import type { TenantScope } from '../store/ports/tenant-scope.ts';

const LIST = operation({
  summary: 'Tenants, with their number of agents and the trigger key that the console holds',
  tags: ['tenants'],
  role: 'viewer',
  query: TenantQuery,
  answers: { 200: TenantsAnswer },
});

/** The tenants that whoever asks may see. */
export function readRoutes(parts: { readonly state: ConsoleState; readonly callers: Callers }) {
  const { state, callers } = parts;

  /** Those that are not revoked, of all tenants in one pass. */
  const agentsIn = async (scope: TenantScope): Promise<ReadonlyMap<string, number>> => {
    const counts = new Map<string, number>();
    for (const { tenant, state: stands, agents } of await state.fleet.agents.standings(
      scope,
      state.clock.now(),
    )) {
      if (stands !== 'revoked') counts.set(tenant, (counts.get(tenant) ?? 0) + agents);
    }
    return counts;
  };

  return async (app: FastifyInstance) => {
    app.addHook('onRequest', async (request) => void (await callers.actor(request)));

    app.get('/api/tenants', LIST.route, async (request) => {
      const scope = scopeOf(await callers.actor(request), LIST.read(request).query.tenant);
      const found = (await state.tenants.list()).filter(({ slug }) => isInScope(scope, slug));
      const keys = await state.triggerKeys.all();
      const agents = await agentsIn(scope);
      const tenants = [];
      for (const { slug, rootSha256, createdAt } of found) {
        tenants.push({
          slug,
          branch: `tenant/${slug}`,
          git_url: `${state.publicUrl()}/git/${slug}.git`,
          root_sha256: rootSha256,
          created_at: createdAt,
          agents: agents.get(slug) ?? 0,
          trigger_key: keys.get(slug) ?? null,
        });
      }
      return { tenants };
    });
  };
}
