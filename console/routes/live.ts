import type { FastifyInstance } from 'fastify';
import { LiveChange } from '../../schemas/console/live.ts';
import { TenantQuery } from '../../schemas/console/page.ts';
import type { Callers } from '../callers.ts';
import type { ConsoleLimits } from '../limits.ts';
import type { LiveFeed } from '../live/live-feed.ts';
import { liveStream } from '../live/live-stream.ts';
import { operation } from '../openapi/operation.ts';
import { scopeOf } from '../people/actor.ts';
import { createShares } from '../shares.ts';

const LIVE = operation({
  summary: 'What changes, as it changes',
  description:
    'Server-sent events: `hello` first, then `changed` with what to ask for again, four times a second at most. It ends when ' +
    'whoever reads it may not any more, or is too slow; come back and read what is shown anew.',
  tags: ['fleet'],
  role: 'viewer',
  query: TenantQuery,
  answers: { 200: { description: 'A stream without an end', type: 'text/event-stream', schema: LiveChange } },
});

/** `GET /api/live`. */
export function liveRoute(parts: {
  readonly callers: Callers;
  readonly limits: ConsoleLimits;
  readonly feed: LiveFeed;
  readonly now: () => Date;
  /** Aborts as soon as the console begins to close. */
  readonly leaving: AbortSignal;
}) {
  const { callers, limits, feed, now, leaving } = parts;
  const readers = createShares({
    all: limits.liveSubscribers,
    each: limits.liveSubscribersEach,
    what: 'pages that are told of changes',
  });
  return async (app: FastifyInstance) => {
    app.addHook('onRequest', async (request) => void (await callers.actor(request)));

    app.get('/api/live', { ...LIVE.route, exposeHeadRoute: false }, async (request, reply) => {
      const actor = await callers.actor(request);
      const scope = scopeOf(actor, LIVE.read(request).query.tenant);
      const giveBack = readers.take(actor.id);
      reply.hijack();
      const answer = reply.raw;
      answer.on('error', (err) => request.log.info({ err }, 'a reader of changes was lost'));
      answer.writeHead(200, {
        ...(reply.getHeaders() as Record<string, string>),
        'content-type': 'text/event-stream; charset=utf-8',
        'cache-control': 'no-store',
        // Proxies that gather answers would keep it to themselves.
        'x-accel-buffering': 'no',
      });
      answer.flushHeaders();
      try {
        const stands = async () => callers.stands(actor);
        const { liveBufferBytes: bufferBytes, liveBeatMs: beatMs } = limits;
        const told = { feed, answer, stands, leaving, bufferBytes, beatMs, now };
        const why = await liveStream(told, scope);
        request.log.debug({ why }, 'a reader of changes has ended');
        // What waits for a slow reader is not waited for either.
        if (why === 'too_slow') answer.destroy();
      } finally {
        giveBack();
        answer.end();
      }
      return reply;
    });
  };
}
