import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { ArtifactFolder } from '../artifact-folder.ts';
import type { Callers } from '../callers.ts';
import { planDownload } from '../download-plan.ts';
import type { ConsoleLimits } from '../limits.ts';
import { notFound, RequestRefused } from '../refusal.ts';
import type { ConsoleState } from '../state.ts';

interface Params {
  slug: string;
  '*': string;
}

/**
 * `/artifacts/<slug>/<file…>`: bundles. Anyone may download what they can name, as the contract's section 2 has it for HTTPS
 * (the signed manifest says which bytes are right); nothing lists names. The publisher's token uploads with PUT.
 */
export function artifactRoutes(parts: {
  readonly state: ConsoleState;
  readonly callers: Callers;
  readonly folder: ArtifactFolder;
  readonly limits: ConsoleLimits;
}) {
  const { state, callers, folder, limits } = parts;
  return async (app: FastifyInstance) => {
    app.removeAllContentTypeParsers();
    app.addContentTypeParser('*', (_request, _payload, done) => done(null));

    app.route({
      method: ['GET', 'HEAD'],
      url: '/artifacts/:slug/*',
      handler: async (request, reply) => download(request, reply, folder, state),
    });

    app.put('/artifacts/:slug/*', async (request, reply) => {
      const { slug, '*': path } = request.params as Params;
      await callers.publisher(request, slug);
      const said = Number(request.headers['content-length'] ?? 0);
      if (said > limits.artifactBytes) {
        const message = `expected at most ${limits.artifactBytes} bytes, found ${said}`;
        throw new RequestRefused(413, 'too_large', message);
      }
      const onlyNew = request.headers['if-none-match'] === '*';
      const done = await folder.write(slug, path, request.raw, {
        maxBytes: limits.artifactBytes,
        replace: !onlyNew,
      });
      const url = `${state.publicUrl()}/artifacts/${slug}/${path}`;
      // A line of its own: people read it in a terminal.
      const text = `${JSON.stringify({ url, sha256: done.sha256, size: done.size })}\n`;
      return reply
        .code(done.created ? 201 : 200)
        .type('application/json; charset=utf-8')
        .send(text);
    });
  };
}

async function download(
  request: FastifyRequest,
  reply: FastifyReply,
  folder: ArtifactFolder,
  state: ConsoleState,
): Promise<FastifyReply> {
  const { slug, '*': path } = request.params as Params;
  const artifact = (await state.tenants.get(slug)) === null ? null : await folder.open(slug, path);
  if (artifact === null) throw notFound('expected the path of an artifact, found no such file');
  const { handle, size } = artifact;
  const plan = planDownload(request.method, request.headers, artifact);
  if (plan.body === null) await handle.close();
  void reply.headers(plan.headers);
  if (plan.status === 416) {
    throw new RequestRefused(416, 'range_unsatisfiable', `expected a range inside ${size} bytes`);
  }
  void reply.code(plan.status);
  if (plan.body === null) return reply.send(size === 0 && plan.status === 200 ? '' : undefined);
  // The stream closes the file, at its end and when the client goes away.
  const { first, last } = plan.body;
  return reply.send(handle.createReadStream({ start: first, end: last, highWaterMark: 256 * 1024 }));
}
