import { readByteRange } from '../../../console/byte-range.ts';
import { decodeFrame, encodeFrame } from '../../../console/tunnel/frame.ts';
import { readHookCall } from '../../../console/webhook.ts';
import { AgentHello, RunLog, RunStarted, TunnelFrame } from '../../../schemas/tunnel-frame.ts';
import { UploadPlaces } from '../../../schemas/upload.ts';
import {
  formatUploadMetadata,
  parseUploadMetadata,
  UploadMetadata,
} from '../../../schemas/upload-metadata.ts';
import { retryAfterMs } from '../../../sinks/retry-after.ts';
import { isUploadPlace } from '../../../sinks/upload-place.ts';
import { artifactLocation, liesUnder } from '../../../sources/artifacts/artifact-location.ts';
import { answerTo } from '../../../sources/artifacts/range-answer.ts';
import { readFrame, writeFrame } from '../../../sources/tunnel/frames.ts';
import type { HttpClient, HttpResponse } from '../../../system/http-client.ts';
import { followRedirects } from '../../../system/http-redirects.ts';
import { check, checkMessage, checkSame } from '../invariants.ts';
import type { FuzzTarget } from '../target.ts';

const NOW = new Date('2026-11-20T12:00:00Z');
const frame = (type: string, data: unknown) =>
  JSON.stringify({
    specversion: '1.0',
    type: `edgeflows.${type}`,
    id: 'f-1',
    source: '/console',
    time: NOW.toISOString(),
    datacontenttype: 'application/json',
    data,
  });
const frames = [
  frame('hello', { session: 's', heartbeat_ms: 15_000, time: NOW.toISOString() }),
  frame('heartbeat', {}),
  frame('command', 'eyJh.eyJh.c2ln'),
  frame('reconcile.request', { revision: 'tenant/acme@sha1:00' }),
  frame('echo.request', [1]),
  frame('ack', { ids: ['a'], refused: [{ id: 'b', code: 'c', message: 'd' }] }),
  frame('goaway', { after_ms: 10, reason: 'restart' }),
  frame('run.log.ack', { run_id: 'r', attempt: 1, stream: 'stdout', offset: 0 }),
  frame('run.log', { run_id: 'r', attempt: 1, stream: 'stderr', offset: 5, data: 'YWJj' }),
  frame('run.started', { run_id: 'r', attempt: 1, flow: 'f', version: 'v', at: NOW.toISOString() }),
];
const JSON_REPEATS = ['[', '{"a":', '"', '\\', '"a":1,', '{', ':', ',', ' ', '0', '{"a":['];
const FRAME_WORDS = [
  'specversion',
  'edgeflows.hello',
  'edgeflows.ack',
  'edgeflows.goaway',
  'edgeflows.echo.request',
  'data',
  'id',
  'time',
  'offset',
  'ids',
];

function response(status: number, headers: Readonly<Record<string, string>>): HttpResponse {
  const get = (name: string) => headers[name] ?? null;
  return {
    status,
    url: new URL('https://a.example/b'),
    headers: { get },
    body: (async function* () {})(),
    discard: () => undefined,
  } as never;
}

/** `name: value` lines, as an answer has them. */
function headersOf(bytes: Buffer): Record<string, string> {
  const entries = bytes
    .toString('latin1')
    .split('\n')
    .map((line) => {
      const colon = line.indexOf(':');
      return [line.slice(0, Math.max(0, colon)).toLowerCase().trim(), line.slice(colon + 1).trim()];
    });
  return Object.fromEntries(entries);
}

export const networkTargets: readonly FuzzTarget[] = [
  {
    name: 'tunnel-frame',
    shape: 'json',
    seeds: frames,
    words: FRAME_WORDS,
    repeats: JSON_REPEATS,
    read(bytes) {
      const text = bytes.toString('utf8');
      const incoming = readFrame(text);
      if (incoming.kind === 'invalid') checkMessage(incoming.message);
      if (incoming.kind === 'hello') check(incoming.hello.heartbeat_ms >= 1, 'expected a heartbeat');
      if (incoming.kind !== 'echo') return;
      // What is sent back is read by the other side as it was.
      const sent = writeFrame({
        type: 'edgeflows.echo.reply',
        id: incoming.id,
        agentId: 'a',
        at: NOW,
        data: incoming.data,
      });
      if (sent !== null)
        checkSame(
          decodeFrame(Buffer.from(sent))?.data,
          JSON.parse(JSON.stringify({ data: incoming.data })).data,
          'an echo',
        );
    },
  },
  {
    name: 'console-frame',
    shape: 'json',
    seeds: frames,
    words: FRAME_WORDS,
    repeats: JSON_REPEATS,
    read(bytes) {
      const decoded = decodeFrame(bytes);
      if (decoded === null) return;
      check(TunnelFrame.safeParse(decoded).success, 'expected a frame of the schema');
      for (const schema of [AgentHello, RunStarted, RunLog]) {
        const data = schema.safeParse(decoded.data);
        if (data.success) checkSame(schema.safeParse(data.data).success, true, 'data of the schema');
      }
      const again = encodeFrame({ type: decoded.type, id: decoded.id, time: NOW, data: decoded.data });
      checkSame(decodeFrame(again)?.type ?? decoded.type, decoded.type, 'a frame printed again');
    },
  },
  {
    name: 'webhook',
    shape: 'json',
    seeds: [
      JSON.stringify({ ref: 'refs/heads/tenant/acme', after: 'ab'.repeat(20) }),
      `payload=${encodeURIComponent('{"ref":"refs/heads/a","after":null}')}`,
    ],
    words: ['ref', 'after', 'payload=', '%', '&', '+'],
    repeats: [...JSON_REPEATS, '%', '&', 'payload=', '='],
    read(bytes) {
      for (const headers of [
        {},
        { 'x-github-event': 'push', 'content-type': 'application/x-www-form-urlencoded' },
        { 'x-gitlab-event': bytes.toString('latin1', 0, 100) },
      ]) {
        const call = readHookCall(headers, bytes);
        if (call.kind === 'malformed') checkMessage(call.message);
        if (call.kind === 'push')
          check(
            call.ref.length <= 512 && (call.commit === null || /^[0-9a-f]{40}$/.test(call.commit)),
            'expected a commit',
          );
      }
    },
  },
  {
    name: 'upload-metadata',
    shape: 'text',
    seeds: [
      formatUploadMetadata(
        UploadMetadata.parse({
          name: 'out/é.csv',
          sha256: 'ab'.repeat(32),
          kind: 'output',
          run_id: 'r',
          flow: 'f',
          purpose: 'p',
        }),
      ),
    ],
    words: [',', ' ', '=', '==', 'name ', 'sha256 ', '__proto__ YQ==', 'YQ'],
    repeats: ['a ', ',', 'a YQ==,', ' ', '\t', 'a', '=', 'name '],
    read(bytes) {
      const pairs = parseUploadMetadata(bytes.toString('utf8'));
      if (pairs === null) return;
      const parsed = UploadMetadata.safeParse(pairs);
      if (!parsed.success) return;
      checkSame(
        UploadMetadata.parse(parseUploadMetadata(formatUploadMetadata(parsed.data))),
        parsed.data,
        'metadata printed again',
      );
    },
  },
  {
    name: 'answer-headers',
    shape: 'text',
    seeds: [
      'etag: "abc"\ncontent-range: bytes 5-9/10\ncontent-length: 5\nretry-after: 120\nrange: bytes=0-4\nlocation: /b\n',
      'retry-after: Fri, 20 Nov 2026 12:00:30 GMT\netag: W/"a"\nrange: bytes=-5\ncontent-range: bytes 0-0/*\nlocation: //other.example/\n',
    ],
    words: [
      'etag:',
      'content-range:',
      'content-length:',
      'retry-after:',
      'range:',
      'location:',
      'bytes',
      '*',
      '"',
      'W/',
      'https://a.example',
      'javascript:',
      '999999999999999',
      'file:',
      'https://u:p@a.example',
    ],
    repeats: ['"', 'bytes ', '-', '0', '/', 'location: /\n', 'retry-after: 1\n', ' ', 'range: bytes=0-1\n'],
    async read(bytes) {
      const headers = headersOf(bytes);
      for (const status of [200, 206, 416, 404]) {
        for (const resume of [null, { offset: 5, validator: '"abc"' }]) {
          const answer = answerTo(response(status, headers), resume, 10);
          if (answer.kind === 'malformed') checkMessage(answer.message);
          if (answer.kind === 'rest')
            check(
              resume !== null && (answer.length === null || answer.length >= 0),
              `expected a rest of some length, found ${JSON.stringify(answer)}`,
            );
          if (answer.kind === 'whole')
            check(answer.length === null || Number.isSafeInteger(answer.length), 'expected a length');
        }
      }
      const wait = retryAfterMs(headers['retry-after'] ?? null, NOW);
      check(wait === null || (Number.isFinite(wait) && wait >= 0), `expected a wait, found ${wait}`);
      for (const size of [0, 1, 10]) {
        const range = readByteRange(headers.range, size);
        if (range.kind === 'part')
          check(
            range.first >= 0 && range.first <= range.last && range.last < size,
            `expected a part of ${size}, found ${JSON.stringify(range)}`,
          );
      }
      const client: HttpClient = {
        request: (request: { url: URL }) =>
          Promise.resolve(request.url.pathname === '/start' ? response(302, headers) : response(200, {})),
      } as never;
      const followed = await followRedirects(
        client,
        {
          method: 'GET',
          url: 'https://a.example/start',
          headers: { authorization: 'x' },
          maxBytes: 1,
          timeoutMs: 1,
        } as never,
        { allows: () => null, sameOriginOnly: true },
      );
      if (followed.kind === 'redirect_refused') checkMessage(followed.message);
      if (followed.kind === 'answered') checkSame(followed.url.origin, 'https://a.example', 'the origin');
    },
  },
  {
    name: 'artifact-url',
    shape: 'text',
    seeds: [
      'https://minio.example/edge/a.tar.gz?X-Amz-Signature=a',
      's3://edge-bucket/acme/b.tar.zst',
      'http://127.0.0.1:9000/edge/',
      'https://console.example/edge/uploads/abc',
    ],
    words: ['..', '%2e%2e', '%2f', '%5c', '\\', '@', ':', '?', '#', '//', 's3://', '%', 'edge', '.', '%00'],
    repeats: ['/', '../', '%2e', '%', 'a/', '@', ':', '\\'],
    read(bytes) {
      const text = bytes.toString('utf8');
      const location = artifactLocation(text);
      if (typeof location === 'string') checkMessage(location);
      else {
        check(
          location.segments.every((segment) => segment !== '..' && !/[\\/\0]/.test(segment)),
          `expected plain segments, found ${JSON.stringify(location.segments)}`,
        );
        const prefix = artifactLocation('https://minio.example/edge');
        check(typeof prefix !== 'string', 'expected a prefix');
        const under = liesUnder(location, prefix);
        check(
          !under || (location.authority === 'minio.example' && location.segments[0] === 'edge'),
          'expected what is under a prefix to begin with it',
        );
      }
      if (URL.canParse(text) && isUploadPlace(new URL(text), 'https://console.example')) {
        check(
          new URL(text).origin === 'https://console.example' &&
            new URL(text).pathname.startsWith('/edge/uploads'),
          'expected a place of uploads',
        );
      }
      UploadPlaces.safeParse(text);
    },
  },
];
