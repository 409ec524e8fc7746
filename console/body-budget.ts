import type { FastifyReply, FastifyRequest } from 'fastify';
import { RequestRefused } from './refusal.ts';

/**
 * How many bytes of request bodies may be on their way into memory at one time. A body counts as long as it says it is, or
 * as much as its route allows when it does not say; one that does not fit is put off with 503.
 */
export function createBodyBudget(totalBytes: number) {
  let inFlight = 0;
  return (request: FastifyRequest, reply: FastifyReply, routeBytes: number): void => {
    const said = Number(request.headers['content-length'] ?? routeBytes);
    const bytes = Number.isSafeInteger(said) && said >= 0 ? Math.min(said, routeBytes) : routeBytes;
    if (inFlight + bytes > totalBytes) {
      throw new RequestRefused(
        503,
        'busy',
        'too many large reports at one time; try again in a few seconds',
        {
          'retry-after': '5',
        },
      );
    }
    inFlight += bytes;
    reply.raw.once('close', () => {
      inFlight -= bytes;
    });
  };
}
export type BodyBudget = ReturnType<typeof createBodyBudget>;
