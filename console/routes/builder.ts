import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { BuilderFlows, BuilderRun, BuilderRunAnswer } from '../../schemas/console/action.ts';
import { TenantQuery } from '../../schemas/console/page.ts';
import { FlowId } from '../../schemas/names.ts';
import type { BuilderRuns } from '../actions/builder-runs.ts';
import type { Once } from '../actions/once.ts';
import type { RunEndings } from '../actions/run-ending.ts';
import type { Callers } from '../callers.ts';
import type { ConsoleLimits } from '../limits.ts';
import { operation } from '../openapi/operation.ts';
import { scopeOf } from '../people/actor.ts';
import type { RateLimit } from '../rate-limit.ts';
import type { TunnelGateway } from '../tunnel/gateway.ts';

/** Beside the wait itself, before a connection on which nothing moves is ended. */
const CONNECTION_GRACE_MS = 30_000;
const GOES_ON = ['asked', 'queued', 'running'];

const LIST = operation({
  summary: 'Flows that can be run, with the version that most agents have active',
  tags: ['builder'],
  role: 'viewer',
  query: TenantQuery,
  answers: { 200: BuilderFlows },
});
const RUN = operation({
  summary: 'Run a flow on an agent that is free, and wait for its end',
  description:
    'On the agent that is named, or on one that is connected, ready and has least to do. 200 when the run has ended within `wait` seconds, else 202. Needs a trigger key of the tenant at this console.',
  tags: ['builder'],
  role: 'operator',
  params: z.object({ id: FlowId }),
  query: TenantQuery,
  body: BuilderRun,
  headers: {
    'Idempotency-Key':
      'Any text of your own, 1 to 200 visible ASCII characters: the same request under it, within 24 h, is one run.',
  },
  answers: { 200: BuilderRunAnswer, 202: BuilderRunAnswer },
});

/** `/flows`, as the Builder asks (the seed of phase 5): a small door to what actions do. */
export function builderRoutes(parts: {
  readonly callers: Callers;
  readonly limits: ConsoleLimits;
  readonly builder: BuilderRuns;
  readonly endings: RunEndings;
  readonly once: Once;
  /** By actor. */
  readonly asking: RateLimit;
  readonly gateway: Pick<TunnelGateway, 'presence'>;
  /** Aborts as soon as the console begins to close. */
  readonly leaving: AbortSignal;
}) {
  const { callers, limits, builder, endings, once, asking, gateway, leaving } = parts;

  return async (app: FastifyInstance) => {
    app.addHook('onRequest', async (request) => void (await callers.actor(request)));

    app.get('/flows', LIST.route, async (request) => {
      const actor = await callers.actor(request);
      return builder.flows({ actor, scope: scopeOf(actor, LIST.read(request).query.tenant) });
    });

    app.post('/flows/:id/run', { ...RUN.route, bodyLimit: limits.actionBytes }, async (request, reply) => {
      const actor = await callers.actor(request);
      asking.take(actor.id);
      const { params, query, body } = RUN.read(request);
      const asker = { actor, scope: scopeOf(actor, query.tenant) };
      const header = request.headers['idempotency-key'];
      // Of somebody who may run nothing anywhere nothing is written down; why they are refused is said below.
      const mayRun = actor.grants.some(({ role }) => role !== 'viewer');
      const key = mayRun && typeof header === 'string' ? header : undefined;
      const { wait, ...asked } = body;
      // How long whoever asks waits makes no other request of it.
      const what = { call: 'POST /flows/:id/run', tenant: query.tenant, flow: params.id, asked };
      const run = await once.again(actor, { key, what }, async (ids) =>
        builder.ask(asker, params.id, body, ids),
      );
      const gone = new AbortController();
      reply.raw.once('close', () => gone.abort(new Error('whoever asked has gone')));
      if (wait > 0) request.raw.setTimeout(wait * 1_000 + CONNECTION_GRACE_MS);
      const signal = AbortSignal.any([leaving, gone.signal]);
      const { run: now, result } = await endings
        .wait(run.agent_id, run.run_id, wait * 1_000, signal)
        .catch((error: unknown) => {
          // It is asked for, whatever becomes of the wait.
          if (leaving.aborted || gone.signal.aborted) return { run: null, result: null };
          throw error;
        });
      const state = now?.state ?? 'asked';
      return reply.code(GOES_ON.includes(state) ? 202 : 200).send({
        ...run,
        state,
        connected: gateway.presence(run.agent_id).connected,
        message: now?.reason ?? null,
        result,
      });
    });
  };
}
