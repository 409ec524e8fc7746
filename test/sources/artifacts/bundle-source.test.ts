import { createHash, randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { FetchProgress } from '../../../reconciler/ports.ts';
import { type BundleSourceOptions, createBundleSource } from '../../../sources/artifacts/bundle-source.ts';
import { createSystemClock } from '../../../system/clock.ts';
import { DiskFullError } from '../../../system/disk-full-error.ts';
import { createHttpClient, type HttpClient } from '../../../system/http-client.ts';
import { bundleSourceContract } from '../../contract/bundle-source.ts';
import { makeCertificate } from '../../support/certificate.ts';
import { startConnectProxy } from '../../support/connect-proxy.ts';
import {
  answering,
  breakingOff,
  endless,
  type LoopbackServer,
  redirecting,
  serving,
  startHttpServer,
} from '../../support/http-server.ts';
import { memoryDownload } from '../../support/memory-download.ts';

const MAX_BYTES = 1_024 * 1_024;
const keys = { access_key: 'AKID', secret_key: 'hunter2' };
const content = randomBytes(200_000);
const sha256 = createHash('sha256').update(content).digest('hex');
const tagOf = (bytes: Uint8Array) => `"${createHash('md5').update(bytes).digest('hex')}"`;

function options(
  client: HttpClient,
  allow: string[],
  more: Partial<BundleSourceOptions> = {},
): BundleSourceOptions {
  return {
    client,
    allow,
    endpoint: null,
    region: 'us-east-1',
    credentials: async () => null,
    maxBytes: MAX_BYTES,
    clock: createSystemClock(),
    ...more,
  };
}

bundleSourceContract('https with a private certificate', async () => {
  const certificate = makeCertificate();
  const server = await startHttpServer(certificate);
  const client = createHttpClient({
    userAgent: 'edge-agent/test',
    environment: {},
    caFile: certificate.caFile,
  });
  return {
    source: createBundleSource(options(client, [`${server.origin}/bundles`])),
    async publish(name, bytes) {
      const url = new URL(`${server.origin}/bundles/${name}`);
      server.on(url.pathname, serving(bytes, tagOf(bytes)));
      return url.href;
    },
    elsewhere: `${server.origin}/other/a`,
    async close() {
      client.close();
      await server[Symbol.asyncDispose]();
      certificate[Symbol.dispose]();
    },
  };
});

describe('over HTTP', () => {
  let server: LoopbackServer;
  let second: LoopbackServer;
  let client: HttpClient;
  beforeEach(async () => {
    [server, second] = await Promise.all([startHttpServer(), startHttpServer()]);
    client = createHttpClient({ userAgent: 'edge-agent/test', environment: {} });
  });
  afterEach(async () => {
    client.close();
    await Promise.all([server[Symbol.asyncDispose](), second[Symbol.asyncDispose]()]);
  });

  const fetchBundle = (
    path: string,
    into = memoryDownload(sha256),
    more: Partial<BundleSourceOptions> & { size?: number; onProgress?: (step: FetchProgress) => void } = {},
  ) => {
    const source = createBundleSource(options(client, [server.origin], more));
    const request = { flow: 'a', url: server.origin + path, sha256, size: more.size ?? null };
    return source.fetch(request, into, { signal: new AbortController().signal, onProgress: more.onProgress });
  };
  const fetched = { kind: 'fetched', bytes: content.byteLength };

  describe('a broken download', () => {
    test('keeps its bytes and its ETag, and the next one asks for the rest only', async () => {
      server.on('/b', breakingOff(content, 90_000));
      const into = memoryDownload(sha256);
      expect(await fetchBundle('/b', into)).toMatchObject({ kind: 'retry', code: 'network' });
      expect(into).toMatchObject({ offset: 90_000, validator: '"v1"' });
      server.on('/b', serving(content));
      expect(await fetchBundle('/b', into)).toEqual(fetched);
      expect(server.requests[1]).toMatchObject({
        status: 206,
        headers: { range: 'bytes=90000-', 'if-range': '"v1"' },
      });
    });

    test('is begun again when its server gave no strong ETag', async () => {
      server.on('/b', breakingOff(content, 90_000, 'W/"v1"'));
      const into = memoryDownload(sha256);
      await fetchBundle('/b', into);
      expect(into.validator).toBeNull();
      server.on('/b', serving(content, 'W/"v1"'));
      expect(await fetchBundle('/b', into)).toEqual(fetched);
      expect(server.requests[1]?.headers).not.toHaveProperty('range');
    });

    const partial = (headers: Record<string, string>) => answering(206, content.subarray(100_000), headers);
    const rest = 'bytes 100000-199999/200000';
    test.each([
      ['another start', { etag: '"v1"', 'content-range': 'bytes 99999-199999/200000' }],
      ['another total', { etag: '"v1"', 'content-range': 'bytes 100000-199999/200001' }],
      ['an end before the total', { etag: '"v1"', 'content-range': 'bytes 100000-199998/200000' }],
      ['another ETag, If-Range ignored', { etag: '"v2"', 'content-range': rest }],
      ['no ETag', { 'content-range': rest }],
      ['no Content-Range', { etag: '"v1"' }],
    ])('is begun again when the rest comes with %s', async (_what, headers) => {
      const left = { content: content.subarray(0, 100_000), validator: '"v1"' };
      const into = memoryDownload(sha256, left);
      server.on('/b', (request, response) => {
        const handler = request.headers.range === undefined ? serving(content, '"v2"') : partial(headers);
        handler(request, response);
      });
      expect(await fetchBundle('/b', into, { size: content.byteLength })).toEqual(fetched);
      expect(into.calls).toEqual(['restart "v2"', 'finish', 'keep']);
      expect(server.requests).toHaveLength(2);
    });

    test('is begun again when the range lies behind the end', async () => {
      const into = memoryDownload(sha256, { content: randomBytes(200_000), validator: '"v1"' });
      server.on('/b', serving(content));
      expect(await fetchBundle('/b', into)).toEqual(fetched);
      expect(server.requests.map(({ status }) => status)).toEqual([416, 200]);
    });

    test('does not take a part for the whole', async () => {
      server.on('/b', partial({ etag: '"v1"', 'content-range': rest }));
      expect(await fetchBundle('/b')).toMatchObject({ kind: 'retry', code: 'server_error' });
    });
  });

  describe('an answer without end', () => {
    test('is cut at artifacts.max_bytes', async () => {
      server.on('/b', endless(64 * 1_024, 0));
      const into = memoryDownload(sha256);
      expect(await fetchBundle('/b', into)).toMatchObject({ kind: 'stalled', code: 'caps_exceeded' });
      expect(into.calls).toEqual(['restart null', 'restart null', 'keep']);
    });

    test('is cut at the size of the manifest', async () => {
      server.on('/b', endless(64 * 1_024, 0));
      const into = memoryDownload(sha256);
      expect(await fetchBundle('/b', into, { size: 100_000 })).toMatchObject({ kind: 'mismatch' });
      expect(into.calls).toEqual(['restart null', 'restart null', 'keep']);
    });

    test('is given up when it only trickles, and when the deadline passes', async () => {
      server.on('/b', endless(1, 10));
      const stallFloor = { bytesPerSecond: 1_024, overMs: 200 };
      expect(await fetchBundle('/b', undefined, { stallFloor })).toMatchObject({
        kind: 'retry',
        code: 'timeout',
      });
      expect(await fetchBundle('/b', undefined, { deadlineMs: 200 })).toMatchObject({
        kind: 'retry',
        code: 'timeout',
      });
    });
  });

  describe('an answer that is no bundle', () => {
    test.each([
      [500, {}, { kind: 'retry', code: 'server_error' }],
      [503, { 'retry-after': '7' }, { kind: 'retry', code: 'server_error', afterMs: 7_000 }],
      [429, { 'retry-after': '999999' }, { kind: 'retry', afterMs: 3_600_000 }],
      [404, {}, { kind: 'retry', code: 'server_error' }],
      [410, {}, { kind: 'retry', code: 'server_error' }],
      [401, {}, { kind: 'stalled', code: 'credentials_refused' }],
      [403, {}, { kind: 'stalled', code: 'credentials_refused' }],
    ])('%i %o', async (status, headers, expected) => {
      server.on('/b', answering(status, '<Error><Code>Why</Code></Error>', headers));
      const outcome = await fetchBundle('/b');
      expect(outcome).toMatchObject(expected);
      expect(outcome).toHaveProperty('message', expect.stringContaining(`status ${status} (Why)`));
    });

    test('waits until the date of Retry-After', async () => {
      const date = new Date(Date.now() + 60_000).toUTCString();
      server.on('/b', answering(503, '', { 'retry-after': date }));
      const outcome = (await fetchBundle('/b')) as { afterMs: number };
      expect(outcome.afterMs).toBeGreaterThan(57_000);
      expect(outcome.afterMs).toBeLessThanOrEqual(60_000);
    });
  });

  describe('a redirect', () => {
    test('is followed inside the list only', async () => {
      server.on('/b', redirecting(`${second.origin}/b`));
      second.on('/b', serving(content));
      expect(await fetchBundle('/b')).toMatchObject({ kind: 'refused', code: 'url_not_allowed' });
      expect(second.requests).toEqual([]);
      expect(await fetchBundle('/b', undefined, { allow: [server.origin, `${second.origin}/b`] })).toEqual(
        fetched,
      );
    });

    test('takes no signature to another origin', async () => {
      server.on('/b', redirecting(`${second.origin}/b`));
      second.on('/b', serving(content));
      const allow = [server.origin, second.origin];
      const outcome = await fetchBundle('/b', undefined, {
        allow,
        endpoint: server.origin,
        credentials: async () => keys,
      });
      expect(outcome).toEqual(fetched);
      expect(server.requests[0]?.headers['authorization']).toMatch(/^AWS4-HMAC-SHA256 Credential=AKID\//);
      expect(second.requests[0]?.headers).not.toHaveProperty('authorization');
    });

    test('without end is given up', async () => {
      server.on('/b', redirecting('/b'));
      expect(await fetchBundle('/b')).toMatchObject({ kind: 'retry', code: 'redirect_refused' });
    });
  });

  describe('credentials', () => {
    test('sign below the endpoint only, and never a URL that is signed already', async () => {
      server.on('*', serving(content));
      const signing = { endpoint: `${server.origin}/s3`, credentials: async () => keys };
      await fetchBundle('/s3/bucket/a', undefined, signing);
      await fetchBundle('/cdn/a', undefined, signing);
      await fetchBundle('/s3/bucket/a?X-Amz-Signature=abc', undefined, signing);
      expect(server.requests.map(({ headers }) => headers['authorization']?.slice(0, 4))).toEqual([
        'AWS4',
        undefined,
        undefined,
      ]);
    });

    test('that cannot be read need a person', async () => {
      const credentials = () => Promise.reject(new Error('artifacts.json: expected mode 0600'));
      expect(await fetchBundle('/b', undefined, { endpoint: server.origin, credentials })).toEqual({
        kind: 'stalled',
        code: 'credentials_refused',
        message: 'artifacts.json: expected mode 0600',
      });
      expect(server.requests).toEqual([]);
    });
  });

  test('tells progress at most ten times a second, and the end', async () => {
    server.on('/b', (_request, response) => {
      response.writeHead(200, { 'content-length': '200000' });
      let at = 0;
      const send = () => {
        response.write(content.subarray(at, at + 5_000));
        at += 5_000;
        if (at < content.byteLength) setTimeout(send, 5);
        else response.end();
      };
      send();
    });
    const steps: FetchProgress[] = [];
    const started = performance.now();
    await fetchBundle('/b', undefined, { onProgress: (step) => void steps.push(step) });
    expect(steps.length).toBeLessThanOrEqual((performance.now() - started) / 100 + 2);
    expect(steps.length).toBeGreaterThan(1);
    expect(steps.at(-1)).toEqual({ flow: 'a', bytes: 200_000, total: 200_000 });
  });

  test('waits for room on a full disk, and tells a bug as a bug', async () => {
    server.on('/b', serving(content));
    const full = memoryDownload(sha256);
    full.failWith(new DiskFullError('/staging', 'no space left on device'));
    expect(await fetchBundle('/b', full)).toMatchObject({ kind: 'retry', code: 'disk_full' });
    expect(full.calls.at(-1)).toBe('keep');
    const broken = memoryDownload(sha256);
    broken.failWith(new TypeError('a bug'));
    await expect(fetchBundle('/b', broken)).rejects.toThrow('a bug');
  });

  test('comes through the proxy of the environment, with a certificate of its own', async () => {
    using certificate = makeCertificate('bundles.test');
    await using secure = await startHttpServer(certificate);
    await using proxy = await startConnectProxy();
    secure.on('/b', serving(content));
    const environment = { HTTPS_PROXY: proxy.url };
    const proxied = createHttpClient({
      userAgent: 'edge-agent/test',
      environment,
      caFile: certificate.caFile,
    });
    const origin = `https://bundles.test:${secure.port}`;
    const source = createBundleSource(options(proxied, [origin]));
    const request = { flow: 'a', url: `${origin}/b`, sha256, size: null };
    const { signal } = new AbortController();
    expect(await source.fetch(request, memoryDownload(sha256), { signal })).toEqual(fetched);
    expect(proxy.asked).toEqual([`CONNECT bundles.test:${secure.port}`]);
    proxied.close();
  });
});
