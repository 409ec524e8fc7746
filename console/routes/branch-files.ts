import type { FastifyInstance } from 'fastify';
import type { Callers } from '../callers.ts';
import { matchesEtag } from '../download-plan.ts';
import type { ConsoleLimits } from '../limits.ts';
import { BRANCH_EXISTS } from '../openapi/edge-operations.ts';
import { notFound, RequestRefused } from '../refusal.ts';
import type { ConsoleState } from '../state.ts';

/** The files the agent reads by path, and no others (contract, sections 2 and 5). */
const BRANCH_FILE =
  /^(?:manifest\.json|release\.jws\.json|agent-policy\.yaml|roots\/[1-9]\d{0,8}\.root\.jws\.json)$/;
const BRANCH_NAME = /^tenant\/([a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)$/;

/** `GET /api/branch-exists` and `GET /raw/tenant/<slug>/<file>`: the branch for those who do not speak git. */
export function branchRoutes(parts: {
  readonly state: ConsoleState;
  readonly callers: Callers;
  readonly limits: ConsoleLimits;
  readonly closing: AbortSignal;
}) {
  const { state, callers, limits, closing } = parts;
  return async (app: FastifyInstance) => {
    // Asked before enrolment, so without credentials (contract, section 7).
    app.get('/api/branch-exists', BRANCH_EXISTS.route, async (request) => {
      callers.stranger(request);
      const { name } = request.query as { name?: unknown };
      const slug = typeof name === 'string' ? BRANCH_NAME.exec(name)?.[1] : undefined;
      if (slug === undefined) {
        throw new RequestRefused(400, 'name_malformed', 'expected ?name=tenant/<slug>');
      }
      const tip =
        (await state.tenants.get(slug)) === null ? null : await state.repositories.tip(slug, closing);
      if (tip === null) {
        const message = `expected a branch tenant/${slug}, found none: nothing has been published for it, or the name is wrong`;
        throw notFound(message, 'branch_missing');
      }
      return { exists: true };
    });

    app.get('/raw/tenant/:slug/*', async (request, reply) => {
      const { slug, '*': file } = request.params as { slug: string; '*': string };
      await callers.reader(request, slug);
      if (!BRANCH_FILE.test(file)) {
        const found = file.slice(0, 80);
        throw notFound(
          `expected manifest.json, release.jws.json, agent-policy.yaml or roots/<n>.root.jws.json, found ${found}`,
        );
      }
      const found = await state.repositories.file(slug, file, limits.branchFileBytes, closing);
      if (found === null) throw notFound(`expected ${file} at the tip of tenant/${slug}, found none`);
      const etag = `"${found.oid}"`;
      void reply.header('etag', etag).header('cache-control', 'private, no-cache');
      if (matchesEtag(request.headers['if-none-match'], etag)) return reply.code(304).send();
      const type = file.endsWith('.json') ? 'application/json' : 'application/yaml';
      return reply.header('content-type', `${type}; charset=utf-8`).send(found.content);
    });
  };
}
