import { fastifyCompress } from '@fastify/compress';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';

/** A shorter answer is sent in one packet or two either way. */
const FROM_BYTES = 2_048;
/**
 * It holds the token against forged requests: of an answer that is compressed, the length tells of a secret that stands beside what
 * somebody else wrote (BREACH).
 */
const WITH_SECRET = '/api/session';

/**
 * Lists and records are sent compressed to who takes that: a page of a hundred agents is a tenth of its size then. What is asked
 * for by `GET` and declared as JSON, and no more: files and streams have a length that is said, or no end. Bodies of requests are
 * never inflated, since a small one may become any size. To be called before the routes are there.
 */
export function compressAnswers(app: FastifyInstance): void {
  app.addHook('onRoute', (route) => {
    const isRead = route.method === 'GET' && /^\/(?:api|flows)(?:\/|$)/.test(route.url);
    const isJson = route.config?.operation?.answers[200] instanceof z.ZodType;
    if (!(isRead && isJson) || route.url === WITH_SECRET) route.compress ??= false;
  });
  void app.register(fastifyCompress, {
    encodings: ['br', 'gzip'],
    threshold: FROM_BYTES,
    globalDecompression: false,
  });
}
