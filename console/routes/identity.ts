import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { AuditAnswer } from '../../schemas/console/token.ts';
import { AuditQuery } from '../../schemas/console/token.ts';
import { KeyRotationRequest, UnenrolRequest } from '../../schemas/identity.ts';
import { verifyRotationProof } from '../../trust/key-rotation.ts';
import { publicPart } from '../../trust/thumbprint.ts';
import type { ConsoleAdmin } from '../admin.ts';
import type { Callers } from '../callers.ts';
import type { ConsoleLimits } from '../limits.ts';
import { allow, scopeOf } from '../people/actor.ts';
import { notFound, RequestRefused } from '../refusal.ts';
import { parseBody } from '../request-body.ts';
import type { ConsoleState } from '../state.ts';
import { agentOf, readQuery, TenantQuery } from './operator-query.ts';

const LISTED_MAX = 1_000;

const Revocation = z.strictObject({
  by: z
    .string()
    .min(1)
    .max(128)
    .refine((name) => name !== 'agent', 'expected a name, found "agent", which is what an agent does itself')
    .optional(),
  why: z.string().max(256).nullable().default(null),
});

/** Who may speak as whom: an agent's own change of key and farewell, and the operator's side of both. */
export function identityRoutes(parts: {
  readonly state: ConsoleState;
  readonly callers: Callers;
  readonly limits: ConsoleLimits;
  readonly admin: ConsoleAdmin;
}) {
  const { state, callers, limits, admin } = parts;
  return async (app: FastifyInstance) => {
    const bodyLimit = limits.enrolBytes;

    app.post('/edge/rotate-key', { bodyLimit }, async (request) => {
      const { agent, thumbprint: signer, next } = await callers.keyHolder(request);
      const { device_jwk: jwk, proof } = parseBody(KeyRotationRequest, request.body);
      const now = state.clock.now();
      const origin = state.publicUrl();
      const verdict = await verifyRotationProof({ proof, jwk, agentId: agent.agent_id, origin, now });
      if (verdict.kind === 'refused') throw new RequestRefused(422, verdict.code, verdict.message);
      const { thumbprint } = verdict;
      // The token signs no body: without this, whoever holds the call back could put a key of his own in it.
      if (next !== thumbprint) {
        const message = `expected the call's token to name the key that is to follow (next: ${thumbprint}), found ${next ?? 'none'}`;
        throw new RequestRefused(422, 'proof_invalid', message);
      }
      // Asked again by the new key itself, because the answer was lost: it is in force already.
      if (signer !== thumbprint && verdict.from !== signer) {
        const message = `proof: expected it to follow the key that signed this call, ${signer}, found ${verdict.from}`;
        throw new RequestRefused(422, 'proof_invalid', message);
      }
      const { agent_id, tenant } = agent;
      const message = `its device key is ${thumbprint} now, in the place of ${signer}`;
      const told = { action: 'key_rotated', tenant, agent_id, by: 'agent', message } as const;
      await state.deviceKeys.rotate(agent, signer, { jwk: publicPart(jwk), thumbprint }, now, told);
      return { agent_id, thumbprint };
    });

    app.post('/edge/unenroll', { bodyLimit }, async (request) => {
      const { agent, thumbprint } = await callers.keyHolder(request);
      await state.deviceKeys.expectToDecide(agent.agent_id, thumbprint);
      const { why = null } = parseBody(UnenrolRequest, request.body ?? {});
      await admin.revokeAgent(agent.agent_id, { by: 'agent', why });
      return { agent_id: agent.agent_id, unenrolled: true };
    });

    app.post('/api/agents/:id/revoke', { bodyLimit }, async (request) => {
      const actor = await callers.actor(request);
      const agent = await agentOf(state, request, readQuery(TenantQuery, request), actor, 'admin');
      const { by: named, why } = parseBody(Revocation, request.body ?? {});
      // A key may be a program that acts for somebody and says for whom; a person is who has signed in.
      const by = actor.kind === 'person' ? actor.by : (named ?? actor.by);
      await admin.revokeAgent(agent.agent_id, { by, why }, actor);
      const { agent_id, revoked_at, revoked_by, revoked_why } =
        (await state.agents.get(agent.agent_id)) ?? agent;
      return { agent_id, revoked_at, revoked_by, revoked_why };
    });

    app.post('/api/agents/:id/rotate-key', { bodyLimit }, async (request, reply) => {
      const actor = await callers.actor(request);
      const agent = await agentOf(state, request, readQuery(TenantQuery, request), actor, 'admin');
      if (!(await admin.askRotation(agent.agent_id, actor))) {
        const message = `expected an agent in good standing, found ${agent.agent_id}, revoked at ${agent.revoked_at}`;
        throw new RequestRefused(409, 'agent_revoked', message);
      }
      return reply.code(202).send({ agent_id: agent.agent_id, asked: true });
    });

    app.get('/api/tokens', async (request) => {
      const { tenant } = readQuery(TenantQuery, request);
      const tenants = scopeOf(await callers.actor(request), tenant, 'admin');
      return { tokens: await state.tokens.list({ tenants, limit: LISTED_MAX }) };
    });

    app.delete('/api/tokens/:id', async (request) => {
      const actor = await callers.actor(request);
      const { tenant } = readQuery(TenantQuery, request);
      const { id } = request.params as { id: string };
      const found = await state.tokens.get(id);
      const absent = () => notFound('expected the id of an enrolment token, found no such token');
      const mine = tenant === undefined || found?.tenant === tenant;
      allow(actor, mine ? (found?.tenant ?? null) : null, 'admin', absent);
      const token = await admin.revokeToken(id, actor);
      if (token === null) throw absent();
      return { token };
    });

    // Newest first; `before=<id>` for the page after.
    app.get('/api/audit', async (request): Promise<AuditAnswer> => {
      const { tenant, action: actions, limit, ...filter } = readQuery(AuditQuery, request);
      const tenants = scopeOf(await callers.actor(request), tenant);
      const entries = await state.audit.list({ ...filter, tenants, actions, limit });
      return { entries, next_before: entries.length === limit ? (entries.at(-1)?.id ?? null) : null };
    });
  };
}
