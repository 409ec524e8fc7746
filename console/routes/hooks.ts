import type { FastifyInstance } from 'fastify';
import type { BodyBudget } from '../body-budget.ts';
import type { Callers } from '../callers.ts';
import type { ConsoleLimits } from '../limits.ts';
import type { Notices } from '../notices.ts';
import { createRateLimit } from '../rate-limit.ts';
import { RequestRefused } from '../refusal.ts';
import type { ConsoleState } from '../state.ts';
import type { TunnelGateway } from '../tunnel/gateway.ts';
import { isSignedBy, readHookCall } from '../webhook.ts';

/**
 * `POST /hooks/<slug>`: a forge outside tells that a branch has moved, and the connected agents of the tenant look. It
 * says nothing that anybody would have to believe: what they find is verified as ever.
 */
export function hookRoutes(parts: {
  readonly state: ConsoleState;
  readonly callers: Callers;
  readonly limits: ConsoleLimits;
  readonly notices: Notices;
  readonly gateway: TunnelGateway;
  readonly budget: BodyBudget;
}) {
  const { state, callers, limits, notices, gateway, budget } = parts;
  const calls = createRateLimit({
    burst: limits.hookBurst,
    perSecond: limits.hookPerSecond,
    nowMs: () => state.clock.monotonicMs(),
  });

  return async (app: FastifyInstance) => {
    app.removeAllContentTypeParsers();
    app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));

    app.post(
      '/hooks/:slug',
      {
        bodyLimit: limits.hookBytes,
        async onRequest(request, reply) {
          callers.stranger(request);
          budget(request, reply, limits.hookBytes);
        },
      },
      async (request) => {
        const { slug } = request.params as { slug: string };
        const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
        const secret = await state.hooks.secret(slug);
        // A tenant that does not exist, or has no webhook, is answered like a wrong signature.
        if (!isSignedBy(secret ?? 'no secret', request.headers, body) || secret === null) {
          const message =
            'expected X-Hub-Signature-256, X-Gitea-Signature or X-Gogs-Signature over the body, or X-Gitlab-Token, made with the secret of this tenant (edge-console tenant hook <slug>)';
          throw new RequestRefused(401, 'signature_refused', message);
        }
        calls.take(slug);
        const call = readHookCall(request.headers, body);
        const wanted = `refs/heads/tenant/${slug}`;
        switch (call.kind) {
          case 'malformed':
            throw new RequestRefused(422, 'body_invalid', call.message);
          case 'other':
            return { done: 'nothing', why: `expected a push, found ${call.event}`, agents: 0 };
          case 'push':
            if (call.ref !== wanted) {
              const why = `expected a push to ${wanted}, found ${call.ref.slice(0, 200)}`;
              return { done: 'nothing', why, agents: 0 };
            }
            notices.push.publish({ tenant: slug, commit: call.commit });
            return { done: 'nudged', agents: gateway.connected(slug) };
        }
      },
    );
  };
}
