import type { FastifyInstance, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { ActionAnswer, ActionRequest } from '../../schemas/console/action.ts';
import { TenantQuery } from '../../schemas/console/page.ts';
import { TriggerKeyAnswer, TriggerKeyGift } from '../../schemas/console/trigger-key.ts';
import type { Actions } from '../actions/actions.ts';
import type { Once } from '../actions/once.ts';
import { expectAllowed } from '../actions/selection.ts';
import type { Callers } from '../callers.ts';
import type { ConsoleLimits } from '../limits.ts';
import { operation } from '../openapi/operation.ts';
import { type Actor, allow, scopeOf } from '../people/actor.ts';
import type { RateLimit } from '../rate-limit.ts';
import { notFound } from '../refusal.ts';
import type { ConsoleState } from '../state.ts';
import { readQuery } from './operator-query.ts';

const IDEMPOTENCY = {
  'Idempotency-Key':
    'Any text of your own, 1 to 200 visible ASCII characters: the same request under it, within 24 h, is done once and answered the same.',
};
const ASK = operation({
  summary: 'Ask something of one agent, or of many',
  description:
    'With `dry_run` nothing is done, and the answer says what would be. `run`, `cancel`, `suspend`, `resume` and `rollback` need a trigger key of the tenant at this console. `revoke` needs the role admin.',
  tags: ['actions'],
  role: 'operator',
  query: TenantQuery,
  body: ActionRequest,
  headers: IDEMPOTENCY,
  answers: { 200: ActionAnswer },
});
const PARAMS = z.object({ slug: z.string() });
const GIVE = operation({
  summary: "Give the console a trigger key of the tenant, in the one before's place",
  tags: ['actions'],
  role: 'admin',
  params: PARAMS,
  query: TenantQuery,
  body: TriggerKeyGift,
  answers: { 200: TriggerKeyAnswer },
});
const TAKE = operation({
  summary: 'Take the trigger key away from the console',
  tags: ['actions'],
  role: 'admin',
  params: PARAMS,
  query: TenantQuery,
  answers: { 200: TriggerKeyAnswer },
});

/** What people ask of agents, and the key it is signed with. */
export function actionRoutes(parts: {
  readonly state: ConsoleState;
  readonly callers: Callers;
  readonly limits: ConsoleLimits;
  readonly actions: Actions;
  readonly once: Once;
  /** By actor. */
  readonly asking: RateLimit;
}) {
  const { state, callers, limits, actions, once, asking } = parts;

  /** Before anything of the body is looked at. */
  const ownTenant = async (request: FastifyRequest, actor: Actor): Promise<string> => {
    const { slug } = request.params as { slug: string };
    const { tenant: asked } = readQuery(TenantQuery, request);
    const tenant = asked === undefined || asked === slug ? await state.tenants.get(slug) : null;
    const absent = () => notFound('expected a tenant, found no such tenant');
    allow(actor, tenant?.slug ?? null, 'admin', absent);
    return slug;
  };

  return async (app: FastifyInstance) => {
    app.addHook('onRequest', async (request) => void (await callers.actor(request)));

    app.post('/api/actions', { ...ASK.route, bodyLimit: limits.actionBytes }, async (request, reply) => {
      const actor = await callers.actor(request);
      asking.take(actor.id);
      const { body, query } = ASK.read(request);
      const scope = scopeOf(actor, query.tenant);
      // Before anything is selected or written down: whoever may ask nothing of anybody is told so.
      scopeOf(actor, query.tenant, 'operator');
      const header = request.headers['idempotency-key'];
      // Nothing is done by a dry run, so there is nothing to be done once.
      const key = body.dry_run || typeof header !== 'string' ? undefined : header;
      // A filter finds other agents in another tenant.
      const what = { call: 'POST /api/actions', tenant: query.tenant, body };
      const asker = { actor, scope };
      const mayHave = (answer: ActionAnswer) => expectAllowed(asker, answer);
      const done = await once.answer(actor, { key, what, mayHave }, async (ids) =>
        actions.ask(asker, body, ids),
      );
      if (done.repeated) void reply.header('idempotency-replayed', 'true');
      return done.answer;
    });

    app.put('/api/tenants/:slug/trigger-key', GIVE.route, async (request) => {
      const actor = await callers.actor(request);
      const tenant = await ownTenant(request, actor);
      const { body } = GIVE.read(request);
      return { trigger_key: await state.triggerKeys.give(tenant, body.key, actor) };
    });

    app.delete('/api/tenants/:slug/trigger-key', TAKE.route, async (request) => {
      const actor = await callers.actor(request);
      const tenant = await ownTenant(request, actor);
      await state.triggerKeys.remove(tenant, actor);
      return { trigger_key: await state.triggerKeys.about(tenant) };
    });
  };
}
