import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { OpenApi } from '../openapi/document.ts';
import { operation } from '../openapi/operation.ts';
import { notFound } from '../refusal.ts';

const OWN = fileURLToPath(new URL('../openapi/page/', import.meta.url));
const SWAGGER_UI = fileURLToPath(new URL('static/', import.meta.resolve('@fastify/swagger-ui/index.js')));

/** Every file of the page, and nothing else of the folders they are in. */
const FILES: Readonly<Record<string, { readonly folder: string; readonly type: string }>> = {
  'page.css': { folder: OWN, type: 'text/css; charset=utf-8' },
  'page.js': { folder: OWN, type: 'text/javascript; charset=utf-8' },
  'swagger-ui.css': { folder: SWAGGER_UI, type: 'text/css; charset=utf-8' },
  'swagger-ui-bundle.js': { folder: SWAGGER_UI, type: 'text/javascript; charset=utf-8' },
  'favicon-32x32.png': { folder: SWAGGER_UI, type: 'image/png' },
};

/**
 * Of the page alone. It draws with pictures inside its style sheet (`data:`), and sets no style from its markup. What it is
 * tried with goes to this console and nowhere else.
 */
const PAGE_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "form-action 'none'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join('; ');

const DOCUMENT = operation({
  summary: 'This document',
  tags: ['console'],
  role: 'anybody',
  answers: { 200: z.looseObject({ openapi: z.string(), paths: z.record(z.string(), z.unknown()) }) },
});
const PAGE = operation({
  summary: 'The page to read it and to try it',
  tags: ['console'],
  role: 'anybody',
  answers: { 200: { description: 'The page.', type: 'text/html' } },
});
const FILE = operation({
  summary: 'A file of that page',
  tags: ['console'],
  role: 'anybody',
  answers: { 200: { description: 'The file.', type: 'application/octet-stream' } },
});

/** What the API is, for programs and for people. It is the same for everybody, so nobody is asked who they are. */
export function openApiRoutes(openApi: OpenApi) {
  return async (app: FastifyInstance) => {
    app.get('/api/openapi.json', DOCUMENT.route, async () => openApi.document());

    app.get('/api/docs', PAGE.route, async (_request, reply) =>
      reply
        .header('content-security-policy', PAGE_POLICY)
        .type('text/html; charset=utf-8')
        .send(await readFile(join(OWN, 'index.html'))),
    );

    app.get('/api/docs/:file', { ...FILE.route, compress: {} }, async (request, reply) => {
      const { file } = request.params as { file: string };
      const found = Object.hasOwn(FILES, file) ? FILES[file] : undefined;
      if (found === undefined) throw notFound('expected a file of the page /api/docs, found no such file');
      return reply
        .header('cache-control', 'public, max-age=3600')
        .type(found.type)
        .send(await readFile(join(found.folder, file)));
    });
  };
}
