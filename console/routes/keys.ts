import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { type ApiKey, KeyAnswer, KeyDraft, KeysAnswer, NewKeyAnswer } from '../../schemas/console/keys.ts';
import { TenantQuery } from '../../schemas/console/page.ts';
import { Id } from '../../schemas/names.ts';
import type { Callers } from '../callers.ts';
import { operation } from '../openapi/operation.ts';
import { scopeOf } from '../people/actor.ts';
import { apiKeyState, noSuchKey } from '../people/api-keys.ts';
import { decidesOver, expectToGive, reaches } from '../people/giving.ts';
import { RequestRefused } from '../refusal.ts';
import type { ConsoleState } from '../state.ts';
import type { ApiKeyRecord } from '../store/ports/api-keys.ts';

const tags = ['keys'] as const;

const LIST = operation({
  summary: 'The keys of the API over all of whose tenants you decide, newest first',
  tags,
  role: 'admin',
  query: TenantQuery,
  answers: { 200: KeysAnswer },
});
const MAKE = operation({
  summary: 'Make a key of the API',
  description: 'The key itself, `secret`, is shown only here.',
  tags,
  role: 'admin',
  query: z.strictObject({}),
  body: KeyDraft,
  answers: { 201: NewKeyAnswer },
});
const REVOKE = operation({
  summary: 'Make a key of the API void',
  tags,
  role: 'admin',
  params: z.object({ id: Id }),
  query: TenantQuery,
  answers: { 200: KeyAnswer },
});

/** Keys of the API and what they may do, for admins. */
export function keyRoutes(parts: { readonly state: ConsoleState; readonly callers: Callers }) {
  const { state, callers } = parts;
  const shown = (key: ApiKeyRecord) => shownKey(key, state.clock.now());
  return async (app: FastifyInstance) => {
    app.addHook('onRequest', async (request) => void (await callers.actor(request)));

    app.get('/api/keys', LIST.route, async (request): Promise<KeysAnswer> => {
      const { tenant } = LIST.read(request).query;
      const actor = await callers.actor(request);
      const isNone = scopeOf(actor, tenant, 'admin').length === 0;
      const keys = (isNone ? [] : await state.apiKeys.list()).filter(
        ({ grants }) => decidesOver(actor, grants) && reaches(grants, tenant),
      );
      return { keys: keys.map(shown) };
    });

    app.post('/api/keys', MAKE.route, async (request, reply) => {
      const actor = await callers.actor(request);
      scopeOf(actor, undefined, 'admin');
      const { body: draft } = MAKE.read(request);
      await expectToGive(actor, draft.grants, async (slug) => (await state.tenants.get(slug)) !== null);
      if (draft.expires_at !== null && Date.parse(draft.expires_at) <= state.clock.now().getTime()) {
        const message = `expected expires_at to be in the future, or null, found ${draft.expires_at}`;
        throw new RequestRefused(422, 'body_invalid', message);
      }
      const { key, secret } = await state.apiKeys.make(draft, actor);
      return reply.code(201).send({ key: shown(key), secret } satisfies NewKeyAnswer);
    });

    app.delete('/api/keys/:id', REVOKE.route, async (request): Promise<KeyAnswer> => {
      const actor = await callers.actor(request);
      scopeOf(actor, undefined, 'admin');
      const { params, query } = REVOKE.read(request);
      const { id } = params;
      const key = await state.apiKeys.revoke(id, actor, query.tenant);
      if (key === null) throw noSuchKey();
      callers.ended(id);
      return { key: shown(key) };
    });
  };
}

export function shownKey({ key_id: id, ...key }: ApiKeyRecord, now: Date): ApiKey {
  return { id, ...key, grants: [...key.grants], state: apiKeyState(key, now) };
}
