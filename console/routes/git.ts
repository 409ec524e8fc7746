import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Callers } from '../callers.ts';
import type { GitAnswer, GitBackend, GitCall } from '../git-backend.ts';
import type { Notices } from '../notices.ts';
import { notFound, RequestRefused } from '../refusal.ts';
import type { ConsoleState } from '../state.ts';

type Service = GitCall['service'];
const REPOSITORY = /^([a-z0-9-]{1,63})\.git$/;

/**
 * `/git/<slug>.git`: smart HTTP only. Agents fetch with the token of their enrolment; the publisher's token pushes too.
 * A repository that is another tenant's is answered like one that is not there.
 */
export function gitRoutes(parts: {
  readonly state: ConsoleState;
  readonly callers: Callers;
  readonly backend: GitBackend;
  readonly notices: Notices;
  /** Aborts when the console closes. */
  readonly closing: AbortSignal;
  /** Keeps work that goes on after the answer: the console waits for it before it closes. */
  readonly afterwards: (work: Promise<void>) => void;
}) {
  const { state, callers, backend, notices } = parts;

  const serve = async (request: FastifyRequest, reply: FastifyReply, service: Service, isPost: boolean) => {
    const { repository } = request.params as { repository: string };
    const slug = REPOSITORY.exec(repository)?.[1];
    if (slug === undefined) throw notFound('expected /git/<slug>.git', 'repository_not_found');
    const caller = await callers.git(request, slug, service === 'git-receive-pack' ? 'publish' : 'read');
    if (isPost) expectContentType(request, `application/x-${service}-request`);
    const encoding = request.headers['content-encoding'] ?? 'identity';
    if (encoding !== 'gzip' && encoding !== 'identity') {
      throw new RequestRefused(
        415,
        'encoding_unknown',
        `expected content-encoding gzip or none, found ${encoding}`,
      );
    }
    const length = request.headers['content-length'];
    const protocol = request.headers['git-protocol'];
    const pushing = isPost && service === 'git-receive-pack';
    const before = pushing ? await state.repositories.refs(slug, parts.closing) : '';
    const answer = await backend.serve({
      slug,
      service,
      body: isPost ? request.raw : null,
      gzip: encoding === 'gzip',
      contentLength: length === undefined ? null : Number(length),
      protocol: typeof protocol === 'string' && /^[a-z0-9=:.]{1,64}$/.test(protocol) ? protocol : null,
      user: caller,
      remoteAddress: request.ip,
    });
    parts.afterwards(finish(request, answer, slug, pushing ? before : null));
    for (const [name, value] of answer.headers) void reply.header(name, value);
    return reply.code(answer.status).send(answer.body);
  };

  const finish = async (request: FastifyRequest, answer: GitAnswer, slug: string, before: string | null) => {
    const { code, stderr } = await answer.ended;
    if (code !== 0) request.log.warn({ slug, code, stderr }, 'git ended early');
    if (before === null || parts.closing.aborted) return;
    if ((await state.repositories.refs(slug, parts.closing)) === before) return;
    notices.push.publish({ tenant: slug, commit: await state.repositories.tip(slug, parts.closing) });
  };

  return async (app: FastifyInstance) => {
    // Bodies go to git as they come.
    app.removeAllContentTypeParsers();
    app.addContentTypeParser('*', (_request, _payload, done) => done(null));

    app.get('/git/:repository/info/refs', { exposeHeadRoute: false }, async (request, reply) => {
      const { service } = request.query as { service?: unknown };
      if (service !== 'git-upload-pack' && service !== 'git-receive-pack') {
        const message =
          'expected ?service=git-upload-pack or git-receive-pack: the dumb protocol is not offered';
        throw new RequestRefused(403, 'dumb_protocol', message);
      }
      return serve(request, reply, service, false);
    });
    for (const service of ['git-upload-pack', 'git-receive-pack'] as const) {
      app.post(`/git/:repository/${service}`, async (request, reply) => serve(request, reply, service, true));
    }
  };
}

function expectContentType(request: FastifyRequest, expected: string): void {
  if (request.headers['content-type'] === expected) return;
  throw new RequestRefused(
    415,
    'content_type_unknown',
    `expected content-type ${expected}, found ${request.headers['content-type'] ?? 'none'}`,
  );
}
