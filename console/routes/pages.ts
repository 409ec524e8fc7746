import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fastifyStatic } from '@fastify/static';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { builtPages } from '../built-pages.ts';
import { PAGE_HEADERS } from '../page-headers.ts';
import { RequestRefused } from '../refusal.ts';

/** The addresses of pages (console/web/routes.ts says what is on them): each is index.html, which finds its way by itself. */
const PAGES = [
  '/sign-in',
  '/setup',
  '/invite',
  '/agents',
  '/agents/:id',
  '/agents/:id/runs/:run_id',
  '/flows/:tenant/:flow',
  '/releases',
  '/releases/:tenant/:revision',
  '/runs',
  '/events',
  '/audit',
  '/tokens',
  '/settings',
];
/** Addresses that programs ask for something else. */
const SHARED = ['/', '/flows'];

const OF_PROGRAMS = /^\/(api|artifacts|assets|edge|git|hooks|raw)(\/|$)/;

const A_YEAR_MS = 365 * 24 * 60 * 60_000;
const NOT_BUILT =
  'The console’s pages are not built here. In a checkout: node scripts/build-web.ts (npm run console does it by itself).\n' +
  'What programs ask for works without them.\n';

/**
 * The console's pages, from the folder of their build (asked for each time; null: nobody has built them). Their code is named
 * after its content and may be kept for good; the page that names it is asked for each time.
 */
export function pageRoutes({ folder = builtPages }: { readonly folder?: () => string | null } = {}) {
  return async (app: FastifyInstance) => {
    await app.register(fastifyStatic, { serve: false, dotfiles: 'deny', preCompressed: true });

    const page = async (_request: FastifyRequest, reply: FastifyReply) => {
      const root = folder();
      if (root === null) return reply.code(503).type('text/plain; charset=utf-8').send(NOT_BUILT);
      return reply
        .headers({ ...PAGE_HEADERS, 'cache-control': 'no-cache', vary: 'accept, accept-encoding' })
        .sendFile('index.html', root, { cacheControl: false });
    };
    for (const path of PAGES) app.get(path, page);
    // The page says in words that there is none such. What is below an address of programs is theirs.
    app.get('/*', { constraints: { answer: 'page' } }, async (request, reply) => {
      const root = folder();
      if (root === null || OF_PROGRAMS.test(request.url)) return reply.callNotFound();
      return reply
        .code(404)
        .headers(PAGE_HEADERS)
        .type('text/html; charset=utf-8')
        .send(await readFile(join(root, 'index.html')));
    });
    for (const path of SHARED) app.get(path, { constraints: { answer: 'page' } }, page);

    app.get<{ Params: { file: string } }>('/assets/:file', async ({ params: { file } }, reply) => {
      const root = folder();
      // A name of our build: one segment, no dot before it.
      if (root === null || !/^[\w-]+(\.[\w-]+)+$/.test(file)) {
        const message = 'expected a file of the pages as they are now; load the page again';
        throw new RequestRefused(404, 'not_found', message);
      }
      return reply.sendFile(`assets/${file}`, root, { immutable: true, maxAge: A_YEAR_MS });
    });
  };
}

/**
 * Tells a browser that goes to an address from a program that asks for it: it says `Accept: text/html` and has no key. For
 * Fastify's router, with `constraints: {answer: 'page'}`; what has no such constraint answers the others.
 */
export function tellPagesFromPrograms(app: FastifyInstance): void {
  app.addConstraintStrategy({
    name: 'answer',
    storage: () => {
      const handlers = new Map<unknown, unknown>();
      return {
        get: (answer) => (handlers.get(answer) ?? null) as never,
        set: (answer, handler) => void handlers.set(answer, handler),
      };
    },
    deriveConstraint: ({ headers }) =>
      headers.accept?.includes('text/html') === true && headers['x-api-key'] === undefined
        ? 'page'
        : undefined,
    validate: () => true,
  });
}
