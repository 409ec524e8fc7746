import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { AuditAnswer, AuditQuery } from '../../schemas/console/token.ts';
import { KeyRotationRequest, UnenrolRequest } from '../../schemas/identity.ts';
import { Id, Timestamp } from '../../schemas/names.ts';
import { verifyRotationProof } from '../../trust/key-rotation.ts';
import { publicPart } from '../../trust/thumbprint.ts';
import type { ConsoleAdmin } from '../admin.ts';
import type { Callers } from '../callers.ts';
import type { ConsoleLimits } from '../limits.ts';
import { operation } from '../openapi/operation.ts';
import { scopeOf } from '../people/actor.ts';
import { RequestRefused } from '../refusal.ts';
import { parseBody } from '../request-body.ts';
import type { ConsoleState } from '../state.ts';
import { agentOf, readQuery, TenantQuery } from './operator-query.ts';

/** How the console itself says who did something: a name that a caller gives may not look like one. */
const OWN_WORDS = /^\s*(?:(?:agent|console|operator)\s*$|(?:agent|key|person)[:\s])/i;

const Revocation = z.strictObject({
  by: z
    .string()
    .min(1)
    .max(128)
    .refine(
      (name) => !OWN_WORDS.test(name),
      'expected a name of your own, found one of the console’s words (agent, console, operator, key:…, person:…); leave it out to be named by your key',
    )
    .optional(),
  why: z.string().max(256).nullable().default(null),
});

/** Why, for the audit. */
const RotationRequest = z.strictObject({ reason: z.string().trim().max(256).nullable().default(null) });

const AgentParams = z.object({ id: z.string() });
const ROTATE = operation({
  summary: 'Change the device key for the one that the call’s token names',
  tags: ['agents themselves'],
  role: 'agent',
  body: KeyRotationRequest,
  answers: { 200: z.object({ agent_id: Id, thumbprint: z.string() }) },
});
const UNENROL = operation({
  summary: 'Be an agent no more',
  tags: ['agents themselves'],
  role: 'agent',
  body: UnenrolRequest,
  answers: { 200: z.object({ agent_id: Id, unenrolled: z.literal(true) }) },
});
const REVOKE = operation({
  summary: 'Refuse an agent from now on: its keys, its tokens, its tunnel',
  tags: ['agents'],
  role: 'admin',
  params: AgentParams,
  query: TenantQuery,
  body: Revocation,
  answers: {
    200: z.object({
      agent_id: Id,
      revoked_at: Timestamp.nullable(),
      revoked_by: z.string().nullable(),
      revoked_why: z.string().nullable(),
    }),
  },
});
const ASK_ROTATION = operation({
  summary: 'Ask an agent to change its device key, with its next status',
  tags: ['agents'],
  role: 'admin',
  params: AgentParams,
  query: TenantQuery,
  body: RotationRequest,
  answers: { 202: z.object({ agent_id: Id, asked: z.literal(true) }) },
});
const AUDIT = operation({
  summary: 'Who did what, newest first',
  description: 'It names people, keys and addresses: whoever only reads is not shown it.',
  tags: ['audit'],
  role: 'operator',
  query: AuditQuery,
  answers: { 200: AuditAnswer },
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

    app.post('/edge/rotate-key', { ...ROTATE.route, bodyLimit }, async (request) => {
      const { agent, thumbprint: signer, next } = await callers.keyHolder(request);
      const { device_jwk: jwk, proof } = parseBody(KeyRotationRequest, request.body);
      const now = state.clock.now();
      const origin = state.publicUrl();
      const verdict = verifyRotationProof({ proof, jwk, agentId: agent.agent_id, origin, now });
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

    app.post('/edge/unenroll', { ...UNENROL.route, bodyLimit }, async (request) => {
      const { agent, thumbprint } = await callers.keyHolder(request);
      await state.deviceKeys.expectToDecide(agent.agent_id, thumbprint);
      const { why = null } = parseBody(UnenrolRequest, request.body ?? {});
      await admin.revokeAgent(agent.agent_id, { by: 'agent', why });
      return { agent_id: agent.agent_id, unenrolled: true };
    });

    app.post('/api/agents/:id/revoke', { ...REVOKE.route, bodyLimit }, async (request) => {
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

    app.post('/api/agents/:id/rotate-key', { ...ASK_ROTATION.route, bodyLimit }, async (request, reply) => {
      const actor = await callers.actor(request);
      const agent = await agentOf(state, request, readQuery(TenantQuery, request), actor, 'admin');
      const { reason } = parseBody(RotationRequest, request.body ?? {});
      if (!(await admin.askRotation(agent.agent_id, actor, reason))) {
        const message = `expected an agent in good standing, found ${agent.agent_id}, revoked at ${agent.revoked_at}`;
        throw new RequestRefused(409, 'agent_revoked', message);
      }
      return reply.code(202).send({ agent_id: agent.agent_id, asked: true });
    });

    // Newest first; `before=<id>` for the page after.
    app.get('/api/audit', AUDIT.route, async (request): Promise<AuditAnswer> => {
      const { tenant, action: actions, limit, ...filter } = AUDIT.read(request).query;
      const tenants = scopeOf(await callers.actor(request), tenant, 'operator');
      const entries = await state.audit.list({ ...filter, tenants, actions, limit });
      return { entries, next_before: entries.length === limit ? (entries.at(-1)?.id ?? null) : null };
    });
  };
}
