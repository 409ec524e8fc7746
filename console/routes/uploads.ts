import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { Role } from '../../schemas/console/people.ts';
import { UploadQuery } from '../../schemas/console/run.ts';
import { UPLOADS_PATH } from '../../schemas/upload.ts';
import { parseUploadMetadata, UploadMetadata } from '../../schemas/upload-metadata.ts';
import { attachment } from '../attachment.ts';
import type { Callers } from '../callers.ts';
import type { ConsoleLimits } from '../limits.ts';
import { REMOVE_UPLOAD, UPLOAD, UPLOADS } from '../openapi/agent-operations.ts';
import { UPLOAD_APPEND, UPLOAD_CREATE, UPLOAD_OPTIONS, UPLOAD_STANDING } from '../openapi/edge-operations.ts';
import { type Actor, allow } from '../people/actor.ts';
import { notFound, RequestRefused } from '../refusal.ts';
import { imageType } from '../runs/file-kind.ts';
import type { ConsoleState } from '../state.ts';
import type { Agent } from '../store/ports/agents.ts';
import type { Upload } from '../store/ports/uploads.ts';
import { agentOf, readQuery, TenantQuery } from './operator-query.ts';

/** Enough to tell an image by. */
const IMAGE_HEAD_BYTES = 16;
const VERSION = '1.0.0';
const LISTED_MAX = 1_000;

interface Params {
  id: string;
}

/**
 * `/edge/uploads` (docs/spec/file-upload.md): tus 1.0.0, core and creation, for agents. An agent sees its own uploads only;
 * what is another's is not there. `/api/…/uploads` is the operator's side.
 */
export function uploadRoutes(parts: {
  readonly state: ConsoleState;
  readonly callers: Callers;
  readonly limits: ConsoleLimits;
}) {
  const { state, callers, limits } = parts;
  const now = () => state.clock.now();

  const expectOwn = async (request: FastifyRequest, agent: Agent): Promise<Upload> => {
    const upload = await state.uploads.get((request.params as Params).id);
    if (upload === null || upload.agent_id !== agent.agent_id)
      throw notFound('expected the id of an upload of this agent, found no such upload');
    return upload;
  };

  /** The upload an operator names; it is not there when it is not of the tenant asked for, or of none that is theirs. */
  const named = async (
    request: FastifyRequest,
    { tenant }: { readonly tenant?: string | undefined },
    actor: Actor,
    role: Role,
  ): Promise<Upload> => {
    const found = await state.uploads.get((request.params as Params).id);
    const upload = tenant === undefined || found?.tenant === tenant ? found : null;
    const absent = () => notFound('expected the id of an upload, found no such upload');
    allow(actor, upload?.tenant ?? null, role, absent);
    if (upload === null) throw absent();
    return upload;
  };

  return async (app: FastifyInstance) => {
    // Bodies are streamed by the routes themselves.
    app.removeAllContentTypeParsers();
    app.addContentTypeParser('*', (_request, _payload, done) => done(null));
    app.addHook('onSend', async (request, reply) => {
      if (request.url.startsWith(UPLOADS_PATH)) void reply.header('tus-resumable', VERSION);
    });

    app.options(UPLOADS_PATH, UPLOAD_OPTIONS.route, async (request, reply) => {
      callers.stranger(request);
      return reply
        .code(204)
        .headers({
          'tus-version': VERSION,
          'tus-extension': 'creation',
          'tus-max-size': String(limits.uploadBytes),
        })
        .send();
    });

    app.post(UPLOADS_PATH, UPLOAD_CREATE.route, async (request, reply) => {
      const agent = await callers.device(request);
      expectVersion(request);
      const size = numberIn(request, 'upload-length');
      const { upload, created } = await state.uploads.create(agent, metadataOf(request), size, limits, now());
      const offset = created ? 0 : await state.uploads.offset(upload, now);
      return reply
        .code(created ? 201 : 200)
        .headers({
          location: `${state.publicUrl()}${UPLOADS_PATH}/${upload.upload_id}`,
          ...standing(upload, offset),
        })
        .send();
    });

    app.head(`${UPLOADS_PATH}/:id`, UPLOAD_STANDING.route, async (request, reply) => {
      const agent = await callers.device(request);
      expectVersion(request);
      const upload = await expectOwn(request, agent);
      return reply.headers(standing(upload, await state.uploads.offset(upload, now))).send();
    });

    app.patch(`${UPLOADS_PATH}/:id`, UPLOAD_APPEND.route, async (request, reply) => {
      const agent = await callers.device(request);
      expectVersion(request);
      const type = request.headers['content-type'];
      if (type !== 'application/offset+octet-stream') {
        const message = `expected Content-Type: application/offset+octet-stream, found ${String(type).slice(0, 80)}`;
        throw new RequestRefused(415, 'content_type_unknown', message);
      }
      const upload = await expectOwn(request, agent);
      const offset = await state.uploads.append(upload, numberIn(request, 'upload-offset'), request.raw, now);
      return reply.code(204).headers(standing(upload, offset)).send();
    });

    app.get('/api/agents/:id/uploads', UPLOADS.route, async (request) => {
      const actor = await callers.actor(request);
      const { agent_id } = await agentOf(state, request, readQuery(TenantQuery, request), actor);
      return { uploads: await state.uploads.list({ agent: agent_id, limit: LISTED_MAX }) };
    });

    // A HEAD would read the file to its end.
    app.get('/api/uploads/:id', { ...UPLOAD.route, exposeHeadRoute: false }, async (request, reply) => {
      const query = readQuery(UploadQuery, request);
      const upload = await named(request, query, await callers.actor(request), 'viewer');
      return download(state, upload, query.show !== undefined, reply);
    });

    app.delete('/api/uploads/:id', REMOVE_UPLOAD.route, async (request, reply) => {
      const actor = await callers.actor(request);
      const { upload_id, tenant, agent_id, name } = await named(
        request,
        readQuery(TenantQuery, request),
        actor,
        'operator',
      );
      if (!(await state.uploads.remove(upload_id)))
        throw notFound('expected the id of an upload, found no such upload');
      const message = `the upload ${upload_id} ("${name}") was removed`;
      const who = { by: actor.by, actor_id: actor.id };
      await state.audit.note({ action: 'upload_removed', tenant, agent_id, ...who, message }, now());
      return reply.code(204).send();
    });
  };
}

/**
 * To keep; or, with `show`, an image of the closed list as what its first bytes say it is, never what its name or sender said.
 * A browser runs nothing of either: `sandbox` holds for whoever opens the address itself.
 */
async function download(
  state: ConsoleState,
  upload: Upload,
  show: boolean,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const handle = await state.uploads.open(upload);
  if (handle === null) throw notFound('expected the id of an upload that is whole, found no such upload');
  let type = 'application/octet-stream';
  let place = attachment(upload.name);
  if (show) {
    const { bytesRead, buffer } = await handle.read(Buffer.alloc(IMAGE_HEAD_BYTES), 0, IMAGE_HEAD_BYTES, 0);
    const image = imageType(buffer.subarray(0, bytesRead));
    if (image === null) {
      await handle.close();
      const message =
        'expected an image (PNG, JPEG, WebP or GIF) to show, found another file; ask for it without show';
      throw new RequestRefused(415, 'not_an_image', message);
    }
    type = image;
    place = place.replace(/^attachment/, 'inline');
  }
  return reply
    .headers({
      'content-type': type,
      'content-length': String(upload.size),
      'content-disposition': place,
      'content-security-policy': "sandbox; default-src 'none'",
      'x-content-type-options': 'nosniff',
      'cross-origin-resource-policy': 'same-origin',
    })
    .send(handle.createReadStream({ start: 0, highWaterMark: 256 * 1024 }));
}

function standing(upload: Upload, offset: number): Record<string, string> {
  return { 'upload-offset': String(offset), 'upload-length': String(upload.size) };
}

function expectVersion(request: FastifyRequest): void {
  const found = request.headers['tus-resumable'];
  if (found === VERSION) return;
  const message = `expected Tus-Resumable: ${VERSION}, found ${String(found).slice(0, 20)}`;
  throw new RequestRefused(412, 'version_unknown', message, { 'tus-version': VERSION });
}

function numberIn(request: FastifyRequest, header: string): number {
  const text = request.headers[header];
  if (typeof text === 'string' && /^\d{1,15}$/.test(text)) return Number(text);
  const message = `expected ${header} with a number of bytes, found ${text === undefined ? 'none' : String(text).slice(0, 40)}`;
  throw new RequestRefused(400, 'header_malformed', message);
}

function metadataOf(request: FastifyRequest): UploadMetadata {
  const header = request.headers['upload-metadata'];
  const pairs = typeof header === 'string' ? parseUploadMetadata(header) : null;
  if (pairs === null)
    throw new RequestRefused(
      400,
      'header_malformed',
      'expected Upload-Metadata with keys and values in base64, found none',
    );
  const parsed = UploadMetadata.safeParse(pairs);
  if (parsed.success) return parsed.data;
  const message = `expected Upload-Metadata with name, sha256 and kind, found: ${z.prettifyError(parsed.error).slice(0, 500)}`;
  throw new RequestRefused(422, 'metadata_invalid', message);
}
