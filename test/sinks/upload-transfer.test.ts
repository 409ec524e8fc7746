import { createHash, randomBytes } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createUploadCall } from '../../sinks/upload-call.ts';
import { isUploadPlace } from '../../sinks/upload-place.ts';
import { transferFile } from '../../sinks/upload-transfer.ts';
import { createSystemClock } from '../../system/clock.ts';
import { createHttpClient, type HttpClient } from '../../system/http-client.ts';
import { type LoopbackServer, startHttpServer } from '../support/http-server.ts';

let server: LoopbackServer;
let client: HttpClient;
beforeEach(async () => {
  server = await startHttpServer();
  client = createHttpClient({ userAgent: 'edge-agent/test', environment: {} });
});
afterEach(async () => {
  client.close();
  await server[Symbol.asyncDispose]();
});

const SIZE = 100_000;
const bytes = randomBytes(SIZE);
const reply = (status: number, headers: Record<string, string> = {}, body = '') => {
  return (request: IncomingMessage, response: ServerResponse) => {
    request.resume();
    request.on('end', () => response.writeHead(status, headers).end(body));
  };
};
const made = (offset = '0') => ({ location: `${server.origin}/edge/uploads/u1`, 'upload-offset': offset });
/** What each method is answered with, over and over. */
const answer = (answers: Partial<Record<string, ReturnType<typeof reply>>>) => {
  server.on('*', (request, response) => (answers[request.method as string] ?? reply(500))(request, response));
};
const transfer = async (place: string | null = null) =>
  transferFile(
    {
      call: createUploadCall({
        client,
        authorize: async (method, url) => `Bearer ${method} ${url.pathname}`,
        clock: createSystemClock(),
      }),
      collection: new URL(`${server.origin}/edge/uploads`),
      place: place === null ? null : new URL(place, server.origin),
      allows: (url) => isUploadPlace(url, server.origin),
      metadata: {
        name: 'a.bin',
        sha256: createHash('sha256').update(bytes).digest('hex'),
        kind: 'document',
        run_id: null,
        flow: null,
        purpose: null,
      },
      file: {
        size: SIZE,
        async *chunks(from, to) {
          yield bytes.subarray(from, to);
        },
      },
      clock: createSystemClock(),
      onProgress: () => {},
      pieceBytes: 40_000,
      stumbleMs: 1,
    },
    new AbortController().signal,
  );
const methods = () => server.requests.map(({ method }) => method);

describe('a transfer', () => {
  test('speaks for itself at every request', async () => {
    answer({ POST: reply(201, made()), PATCH: reply(204, { 'upload-offset': String(SIZE) }) });
    expect(await transfer()).toEqual({ kind: 'stored' });
    expect(server.requests.map(({ headers }) => headers.authorization)).toEqual([
      'Bearer POST /edge/uploads',
      'Bearer PATCH /edge/uploads/u1',
    ]);
    expect(server.requests.every(({ headers }) => headers['tus-resumable'] === '1.0.0')).toBe(true);
    expect(server.requests[0]?.headers).toMatchObject({ 'upload-length': '100000', 'content-length': '0' });
  });

  test('goes on from what is there, asked for when it is not said', async () => {
    answer({
      POST: reply(200, { location: '/edge/uploads/u1' }),
      HEAD: reply(200, { 'upload-offset': '70000' }),
      PATCH: reply(204, { 'upload-offset': String(SIZE) }),
    });
    expect(await transfer()).toEqual({ kind: 'stored' });
    expect(methods()).toEqual(['POST', 'HEAD', 'PATCH']);
    expect(server.requests[2]?.headers).toMatchObject({
      'upload-offset': '70000',
      'content-length': '30000',
    });
  });

  test.each([404, 410])('makes an upload anew that is gone (%i)', async (status) => {
    answer({
      HEAD: reply(status),
      POST: reply(201, made()),
      PATCH: reply(204, { 'upload-offset': String(SIZE) }),
    });
    expect(await transfer('/edge/uploads/old')).toEqual({ kind: 'stored' });
    expect(methods()).toEqual(['HEAD', 'POST', 'PATCH']);
  });

  test('follows the other side to another offset', async () => {
    let offset = 0;
    answer({
      POST: reply(201, made('50000')),
      HEAD: (request, response) => reply(200, { 'upload-offset': String(offset) })(request, response),
      PATCH: (request, response) => {
        const right = request.headers['upload-offset'] === String(offset);
        if (right) offset += Number(request.headers['content-length']);
        reply(right ? 204 : 409, { 'upload-offset': String(offset) })(request, response);
      },
    });
    expect(await transfer()).toEqual({ kind: 'stored' });
    expect(offset).toBe(SIZE);
  });

  test.each([400, 403, 409, 413, 415, 422])('is over when creating is answered with %i', async (status) => {
    answer({ POST: reply(status, {}, '{"error":{"code":"no"}}') });
    const ended = await transfer();
    expect(ended).toMatchObject({ kind: 'refused' });
    expect((ended as { message: string }).message).toContain(`found ${status}: {"error"`);
    expect(methods()).toEqual(['POST']);
  });

  test.each([401, 404, 412, 429, 500, 503, 507])(
    'waits when creating is answered with %i',
    async (status) => {
      answer({ POST: reply(status, { 'retry-after': '7' }) });
      expect(await transfer()).toMatchObject({ kind: 'again', retryAfterMs: 7_000 });
    },
  );

  test('says when the bytes arrived as others', async () => {
    answer({ POST: reply(201, made()), PATCH: reply(422, {}, 'digest_mismatch') });
    expect(await transfer()).toMatchObject({ kind: 'mismatch' });
  });

  // The bytes were all there, and the answer to the last of them was lost: whoever asks next hears what came of them.
  test.each<[string, string | null, Parameters<typeof answer>[0]]>([
    ['asking where it stands', '/edge/uploads/u1', { HEAD: reply(422) }],
    [
      'asking after a piece whose answer was lost',
      null,
      {
        PATCH: (request, response) => void request.resume().on('end', () => response.destroy()),
        HEAD: reply(422),
      },
    ],
    [
      'making it again',
      null,
      { POST: reply(422, {}, '{"error":{"code":"digest_mismatch","message":"expected bytes of …"}}') },
    ],
  ])('says so, too, when it hears of it %s', async (_how, place, answers) => {
    answer({ POST: reply(201, made()), ...answers });
    expect(await transfer(place)).toMatchObject({ kind: 'mismatch' });
  });

  test.each(['', '{"error":{"code":"metadata_invalid"}}', '{"error":"digest_mismatch"}', 'null', '{'])(
    'is over when making it is answered with 422 and %s',
    async (body) => {
      answer({ POST: reply(422, {}, body) });
      expect(await transfer()).toMatchObject({ kind: 'refused' });
    },
  );
});

describe('a server that misbehaves', () => {
  test.each([
    'https://elsewhere.example/edge/uploads/1',
    '/elsewhere',
    '/edge/uploads/a/b',
    '/edge/uploads/a?b=c',
    '',
  ])('gets nothing at a Location of its choice: %s', async (location) => {
    answer({ POST: reply(201, { ...made(), location }) });
    expect(await transfer()).toMatchObject({ kind: 'refused' });
    expect(methods()).toEqual(['POST']);
  });

  test('is not followed to another place', async () => {
    answer({ POST: reply(307, { location: `${server.origin}/edge/uploads/elsewhere` }) });
    expect(await transfer()).toMatchObject({ kind: 'again' });
    expect(methods()).toEqual(['POST']);
  });

  test('cannot claim to have more than there is', async () => {
    answer({ POST: reply(201, made('100001')) });
    expect(await transfer()).toMatchObject({ kind: 'refused' });
  });

  test.each<[string, Parameters<typeof answer>[0]]>([
    [
      'takes nothing',
      { PATCH: reply(204, { 'upload-offset': '0' }), HEAD: reply(200, { 'upload-offset': '0' }) },
    ],
    ['says nothing', { PATCH: reply(204), HEAD: reply(200, { 'upload-offset': '0' }) }],
    ['is always elsewhere', { PATCH: reply(409), HEAD: reply(200, { 'upload-offset': '0' }) }],
    ['forgets at once', { PATCH: reply(404), HEAD: reply(404) }],
    ['knows no offset', { PATCH: reply(409), HEAD: reply(200) }],
    [
      'cuts',
      { PATCH: (_request, response) => void response.destroy(), HEAD: reply(200, { 'upload-offset': '0' }) },
    ],
    [
      'goes back and forth',
      {
        PATCH: reply(204, { 'upload-offset': '5000' }),
        HEAD: reply(200, { 'upload-offset': '0' }),
      },
    ],
  ])('is given up for now when it %s', async (_what, answers) => {
    answer({ POST: reply(201, made()), ...answers });
    expect(await transfer()).toMatchObject({ kind: 'again' });
    expect(server.requests.length).toBeLessThan(15);
  });
});
