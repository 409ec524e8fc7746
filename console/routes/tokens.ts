import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { TenantQuery } from '../../schemas/console/page.ts';
import { TokenMade, TokenRequest, TokenRow, TokensAnswer, TokensQuery } from '../../schemas/console/token.ts';
import { parseDuration } from '../../schemas/duration.ts';
import type { ConsoleAdmin } from '../admin.ts';
import type { Callers } from '../callers.ts';
import { enrolmentLine } from '../enrolment-line.ts';
import { operation } from '../openapi/operation.ts';
import { allow, scopeOf } from '../people/actor.ts';
import { notFound, RequestRefused } from '../refusal.ts';
import type { ConsoleState } from '../state.ts';
import { TenantFault } from '../tenants.ts';

const LIST = operation({
  summary: 'Enrolment tokens, newest first',
  tags: ['tokens'],
  role: 'admin',
  query: TokensQuery,
  answers: { 200: TokensAnswer },
});
const MAKE = operation({
  summary: 'Make a token that enrols one machine, and the line to paste there',
  tags: ['tokens'],
  role: 'admin',
  body: TokenRequest,
  answers: { 201: TokenMade },
});
const REVOKE = operation({
  summary: 'Make a token void; the agent it has made stays one',
  tags: ['tokens'],
  role: 'admin',
  params: z.object({ id: z.string() }),
  query: TenantQuery,
  answers: { 200: z.object({ token: TokenRow }) },
});

/** `/api/tokens`: how machines become agents. Admins of the tenant only: a token is worth an agent. */
export function tokenRoutes(parts: {
  readonly state: ConsoleState;
  readonly callers: Callers;
  readonly admin: ConsoleAdmin;
}) {
  const { state, callers, admin } = parts;
  return async (app: FastifyInstance) => {
    app.get('/api/tokens', LIST.route, async (request) => {
      const actor = await callers.actor(request);
      const { tenant, state: states, limit } = LIST.read(request).query;
      return { tokens: await state.tokens.list({ tenants: scopeOf(actor, tenant, 'admin'), states, limit }) };
    });

    app.post('/api/tokens', MAKE.route, async (request, reply) => {
      const actor = await callers.actor(request);
      const { tenant: slug, expires } = MAKE.read(request).body;
      const tenant = await state.tenants.get(slug);
      allow(actor, tenant?.slug ?? null, 'admin', () => notFound('expected a tenant, found no such tenant'));
      const made = await admin.mintToken({ slug, ttlMs: durationOf(expires), actor }).catch(asRefusal);
      return reply.code(201).send({ ...made, line: enrolmentLine(made.token) });
    });

    app.delete('/api/tokens/:id', REVOKE.route, async (request) => {
      const actor = await callers.actor(request);
      const { params, query } = REVOKE.read(request);
      const found = await state.tokens.get(params.id);
      const absent = () => notFound('expected the id of an enrolment token, found no such token');
      const mine = query.tenant === undefined || found?.tenant === query.tenant;
      allow(actor, mine ? (found?.tenant ?? null) : null, 'admin', absent);
      const token = await admin.revokeToken(params.id, actor);
      if (token === null) throw absent();
      return { token };
    });
  };
}

function durationOf(text: string): number {
  const ms = parseDuration(text);
  if (ms !== null) return ms;
  throw new RequestRefused(
    422,
    'body_invalid',
    `expected expires as a duration such as 30m, 1h or 7d, found ${JSON.stringify(text)}`,
  );
}

function asRefusal(error: unknown): never {
  if (error instanceof TenantFault) throw new RequestRefused(422, 'body_invalid', error.message);
  throw error;
}
