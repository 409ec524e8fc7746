import type { FileHandle } from 'node:fs/promises';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { LogSearchAnswer, LogSearchQuery } from '../../schemas/console/run.ts';
import { Id } from '../../schemas/names.ts';
import { attachment } from '../attachment.ts';
import type { Callers } from '../callers.ts';
import type { ConsoleLimits } from '../limits.ts';
import { followLog, knowsRun } from '../log-follower.ts';
import type { Notices } from '../notices.ts';
import { LOGS, PROGRESS } from '../openapi/agent-operations.ts';
import { operation } from '../openapi/operation.ts';
import { notFound } from '../refusal.ts';
import { searchLog } from '../runs/log-search.ts';
import { createShares } from '../shares.ts';
import type { ConsoleState } from '../state.ts';
import type { LogStream } from '../store/ports/log-rows.ts';
import { agentOf, readQuery, TenantQuery } from './operator-query.ts';

const Query = TenantQuery.extend({
  stream: z.enum(['stdout', 'stderr']).default('stdout'),
  attempt: z.coerce.number().int().min(1).max(1_000_000).optional(),
  offset: z.coerce.number().int().min(0).max(Number.MAX_SAFE_INTEGER).default(0),
  limit: z.coerce
    .number()
    .int()
    .min(1)
    .max(8 * 1024 * 1024)
    .default(1024 * 1024),
  follow: z.stringbool().default(false),
  /** The whole stream as a file to keep. */
  download: z.string().optional(),
});
const LOG = operation({
  summary: 'What a run prints: bytes, or with follow events until it has ended',
  description:
    'With `follow=true` the answer is `text/event-stream`: `log` with `{offset, data}` (base64), then `end`.',
  tags: ['runs'],
  role: 'viewer',
  params: z.object({ id: z.string(), run_id: z.string() }),
  query: Query,
  answers: {
    200: {
      description: 'Bytes from `offset`.',
      type: 'application/octet-stream',
      headers: { 'X-Next-Offset': 'Where to go on.', 'X-Attempt': 'Which attempt it is of.' },
    },
  },
});
const SEARCH = operation({
  summary: 'The lines of a log that have a text in them',
  tags: ['runs'],
  role: 'viewer',
  params: z.object({ id: z.string(), run_id: z.string() }),
  query: LogSearchQuery,
  answers: { 200: LogSearchAnswer },
});
/** What every question about a stream says of it. */
interface OfStream {
  readonly tenant?: string | undefined;
  readonly stream: LogStream['stream'];
  readonly attempt?: number | undefined;
}
const RunsQuery = TenantQuery.extend({ running: z.string().optional() });

/**
 * What a run prints, while it goes on and after: `GET /api/agents/<id>/runs/<run_id>/log`, with an `X-Api-Key`. Bytes from
 * `offset`, where the next call goes on in `X-Next-Offset`; or, with `follow`, server-sent events until the run has ended.
 */
export function runLogRoutes(parts: {
  readonly state: ConsoleState;
  readonly callers: Callers;
  readonly limits: ConsoleLimits;
  readonly notices: Notices;
  /** Aborts as soon as the console begins to close. */
  readonly leaving: AbortSignal;
}) {
  const { state, callers, limits, notices, leaving } = parts;
  const followers = createShares({
    all: limits.logFollowers,
    each: limits.logFollowersEach,
    what: 'followers of logs',
  });
  const searches = createShares({
    all: limits.logSearches,
    each: limits.logSearchesEach,
    what: 'searches of logs',
  });

  const opened = async (stream: LogStream) => {
    const handle = await state.logs.open(stream);
    if (handle === null) throw notFound('expected the log of a run, found nothing of it');
    return handle;
  };

  /** As far as it has come: what is added while it is sent is not in the length that was said. */
  const download = async (reply: FastifyReply, stream: LogStream, handle: FileHandle) => {
    const { size } = await handle.stat();
    const name = `${stream.run_id}.${stream.attempt}.${stream.stream}.log`;
    void reply.headers({
      'content-type': 'application/octet-stream',
      'content-length': String(size),
      'content-disposition': attachment(name),
      'x-attempt': String(stream.attempt),
    });
    if (size === 0) {
      await handle.close();
      return reply.send('');
    }
    return reply.send(handle.createReadStream({ start: 0, end: size - 1, highWaterMark: 256 * 1024 }));
  };

  const streamOf = async <Q extends OfStream>(
    request: FastifyRequest,
    schema: z.ZodType<Q>,
  ): Promise<{ stream: LogStream; query: Q }> => {
    const { run_id } = request.params as { run_id: string };
    const query = readQuery(schema, request);
    const { agent_id } = await agentOf(state, request, query, await callers.actor(request));
    if (!Id.safeParse(run_id).success) throw notFound('expected the id of a run');
    const attempt =
      query.attempt ??
      Math.max(
        1,
        ...(await state.logs.list(agent_id, run_id)).map((row) => row.attempt),
        ...(await state.progress.get(agent_id, run_id)).map((row) => row.attempt),
      );
    return { stream: { agent_id, run_id, attempt, stream: query.stream }, query };
  };

  return async (app: FastifyInstance) => {
    app.addHook('onRequest', async (request) => void (await callers.actor(request)));

    app.get('/api/agents/:id/runs', PROGRESS.route, async (request) => {
      const query = readQuery(RunsQuery, request);
      const { agent_id } = await agentOf(state, request, query, await callers.actor(request));
      const running = query.running !== undefined;
      return { runs: await state.progress.list(agent_id, { running, limit: 200 }) };
    });

    app.get('/api/agents/:id/runs/:run_id/logs', LOGS.route, async (request) => {
      const { run_id } = request.params as { run_id: string };
      const actor = await callers.actor(request);
      const { agent_id } = await agentOf(state, request, readQuery(TenantQuery, request), actor);
      return { logs: await state.logs.list(agent_id, run_id) };
    });

    // A HEAD would follow, too.
    app.get(
      '/api/agents/:id/runs/:run_id/log',
      { ...LOG.route, exposeHeadRoute: false },
      async (request, reply) => {
        const { stream, query } = await streamOf(request, Query);
        if (query.follow) return follow(request, reply, stream, query.offset);
        const handle = await opened(stream);
        if (query.download !== undefined) return download(reply, stream, handle);
        try {
          const bytes = Buffer.alloc(query.limit);
          const { bytesRead } = await handle.read(bytes, 0, bytes.length, query.offset);
          return await reply
            .header('x-next-offset', String(query.offset + bytesRead))
            .header('x-attempt', String(stream.attempt))
            .type('application/octet-stream')
            .send(bytes.subarray(0, bytesRead));
        } finally {
          await handle.close();
        }
      },
    );

    app.get('/api/agents/:id/runs/:run_id/log/search', SEARCH.route, async (request, reply) => {
      const { stream, query } = await streamOf(request, LogSearchQuery);
      const giveBack = searches.take((await callers.actor(request)).id);
      const gone = new AbortController();
      reply.raw.once('close', () => gone.abort(new Error('whoever asked has gone')));
      let handle: FileHandle | null = null;
      try {
        handle = await opened(stream);
        const wanted = { wanted: query.q, from: query.offset, limit: query.limit };
        return await searchLog(handle, wanted, AbortSignal.any([leaving, gone.signal]));
      } finally {
        giveBack();
        await handle?.close();
      }
    });

    const follow = async (
      request: FastifyRequest,
      reply: FastifyReply,
      stream: LogStream,
      offset: number,
    ): Promise<FastifyReply> => {
      if (!(await knowsRun(state, stream.agent_id, stream.run_id))) {
        throw notFound('expected the id of a run that was asked for or has begun, found no such run');
      }
      const actor = await callers.actor(request);
      const giveBack = followers.take(actor.id);
      const over = new AbortController();
      const look = async () => {
        const stands = await callers.stands(actor).catch(() => true);
        if (!stands) over.abort(new Error('the reader may not read it any more'));
      };
      const stopHearing = notices.access.subscribe(({ actor_id }) => {
        if (actor_id === actor.id) void look();
      });
      // What is done at the shell, or by another process, is not told.
      const beat = setInterval(() => void look(), limits.liveBeatMs);
      const last = Number(request.headers['last-event-id']);
      const from =
        Number.isSafeInteger(last) && last >= 0 && request.headers['last-event-id'] !== undefined
          ? last
          : offset;
      reply.hijack();
      reply.raw.writeHead(200, {
        ...(reply.getHeaders() as Record<string, string>),
        'content-type': 'text/event-stream; charset=utf-8',
        'cache-control': 'no-store',
        'x-attempt': String(stream.attempt),
      });
      reply.raw.flushHeaders();
      try {
        const until = AbortSignal.any([leaving, over.signal]);
        await followLog({ state, notices, leaving: until, answer: reply.raw }, stream, from);
      } catch (err) {
        request.log.info({ err }, 'a follower of a log was lost');
      } finally {
        giveBack();
        stopHearing();
        clearInterval(beat);
        reply.raw.end();
      }
      return reply;
    };
  };
}
