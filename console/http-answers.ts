import { randomUUID } from 'node:crypto';
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { RequestRefused } from './refusal.ts';
import { StoreBusy } from './store/busy.ts';
import { StoreDamaged } from './store/damaged.ts';
import { StoreUnwritable } from './store/unwritable.ts';

/** Codes of faults the HTTP library finds by itself, before any route of ours. */
const LIBRARY_CODES: Readonly<Record<string, string>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: 'too_large',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'content_type_unknown',
  FST_ERR_CTP_EMPTY_JSON_BODY: 'body_malformed',
  FST_ERR_CTP_INVALID_JSON_BODY: 'body_malformed',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'body_malformed',
};

/**
 * What every answer has: the headers that keep a browser from making anything of it, the time by this console's clock (agents
 * measure their offset with it), an id to find it in the log, and errors as `{error:{code, message}}` without a stack.
 */
export function commonAnswers(
  app: FastifyInstance,
  options: { now: () => Date; https: () => boolean },
): void {
  app.addHook('onRequest', async (request, reply) => {
    void reply.headers(plainHeaders(request.id));
    if (options.https()) void reply.header('strict-transport-security', 'max-age=31536000');
  });
  app.addHook('onSend', async (_request, reply) => {
    void reply.header('date', options.now().toUTCString());
  });
  app.setNotFoundHandler(async (request, reply) => {
    const path = request.url.split('?')[0]?.slice(0, 200);
    return refuse(
      reply,
      new RequestRefused(
        404,
        'not_found',
        `expected an address of this console, found ${request.method} ${path}; GET / lists them`,
      ),
    );
  });
  app.setErrorHandler(async (error: FastifyError, request, reply) => {
    if (error instanceof RequestRefused) {
      request.log.info({ code: error.code, status: error.status }, error.message);
      return refuse(reply, error);
    }
    const unwritten = writeRefusal(error);
    if (unwritten !== null) {
      request.log.warn({ err: error }, 'a write had to be given up');
      return refuse(reply, unwritten);
    }
    if (error instanceof StoreDamaged) {
      request.log.error({ err: error }, 'the database is damaged');
      const message = `expected a sound database, found a part of it damaged; whoever runs this console restores a backup (its log says how, under request ${request.id})`;
      return refuse(reply, new RequestRefused(500, 'damaged', message));
    }
    const status = error.statusCode ?? 500;
    if (status >= 400 && status < 500) {
      const code = LIBRARY_CODES[error.code] ?? 'bad_request';
      return refuse(reply, new RequestRefused(status, code, libraryText(code, error, request)));
    }
    request.log.error({ err: error }, 'a request failed');
    const message = `something went wrong here; the log says more under request ${request.id}`;
    return refuse(reply, new RequestRefused(500, 'internal', message));
  });
}

/** In the words of this console; the library's own are those of its code. */
function libraryText(code: string, error: FastifyError, { headers }: FastifyRequest): string {
  switch (code) {
    case 'content_type_unknown': {
      // What curl sends with `-d` alone is a form.
      const found = headers['content-type']?.slice(0, 80) ?? 'none';
      return `expected a body with Content-Type: application/json, found ${found}`;
    }
    case 'body_malformed':
      return `expected a body of JSON, found something else: ${error.message}`;
    default:
      return error.message;
  }
}

/** For what Fastify refuses before any hook runs, such as an address that cannot be decoded. */
export function answerMalformed(error: FastifyError, request: FastifyRequest, reply: FastifyReply): void {
  const refusal = new RequestRefused(error.statusCode ?? 400, 'bad_request', error.message);
  void refuse(reply.headers(plainHeaders(request.id)), refusal);
}

/** On every answer, refused upgrades included. */
export function plainHeaders(requestId: string): Record<string, string> {
  return {
    'x-request-id': requestId,
    'x-content-type-options': 'nosniff',
    'x-frame-options': 'DENY',
    'referrer-policy': 'no-referrer',
    'content-security-policy':
      "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    'cross-origin-resource-policy': 'same-origin',
    'cache-control': 'no-store',
  };
}

/** For what could not be written, and was right: the same may be asked again. Null for all other faults. */
export function writeRefusal(error: unknown): RequestRefused | null {
  if (error instanceof StoreBusy)
    return new RequestRefused(503, 'busy', error.message, { 'retry-after': '5' });
  if (error instanceof StoreUnwritable) {
    return new RequestRefused(503, error.code, error.message, { 'retry-after': '60' });
  }
  if (!['ENOSPC', 'EDQUOT'].includes(String((error as { code?: unknown } | null)?.code))) return null;
  const message = 'expected room on the disk for a file, found it full; make room, then try again';
  return new RequestRefused(503, 'full', message, { 'retry-after': '60' });
}

/** The id of a request is ours alone: what a client says is not put into the log. */
export function newRequestId(): string {
  return randomUUID();
}

function refuse(reply: FastifyReply, error: RequestRefused): FastifyReply {
  for (const name of ['content-length', 'content-encoding', 'last-modified']) void reply.removeHeader(name);
  return reply
    .code(error.status)
    .headers(error.headers)
    .header('cache-control', 'no-store')
    .type('application/json; charset=utf-8')
    .send({ error: { code: error.code, message: error.message } });
}
