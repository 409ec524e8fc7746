import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { DesiredSource } from '../../../reconciler/ports.ts';
import { createHttpSource } from '../../../sources/http/http-source.ts';
import { createSystemClock } from '../../../system/clock.ts';
import { createHttpClient, type HttpClient } from '../../../system/http-client.ts';
import { mustBeFound } from '../../contract/desired-source.ts';
import { answering, type LoopbackServer, serving, startHttpServer } from '../../support/http-server.ts';

const BASE = '/raw/tenant/acme/';
const { signal } = new AbortController();
let server: LoopbackServer;
let client: HttpClient;
let state: string;
let believed: boolean;
let source: DesiredSource;

beforeEach(async () => {
  server = await startHttpServer();
  client = createHttpClient({ userAgent: 'edge-agent/test', environment: {} });
  state = await mkdtemp(join(tmpdir(), 'hostile-files-'));
  believed = false;
  source = createHttpSource({
    baseUrl: server.origin,
    slug: 'acme',
    client,
    stateDirectory: state,
    timeoutMs: 20_000,
    authorization: async () => null,
    knownRootVersion: () => 0,
    believed: () => believed,
    clock: createSystemClock(),
  });
});
afterEach(async () => {
  client.close();
  await server[Symbol.asyncDispose]();
  await rm(state, { recursive: true, force: true });
});

const read = async () => source.read(mustBeFound(await source.observe(signal)), signal);
const manifestOf = async () => {
  const answer = await read();
  expect(answer).toMatchObject({ kind: 'read' });
  return Buffer.from(
    (answer as { snapshot: { files: ReadonlyMap<string, Uint8Array> } }).snapshot.files.get(
      'manifest.json',
    ) ?? '',
  ).toString();
};

test('a lie under the ETag of the honest file is not kept by "not modified"', async () => {
  server.on(`${BASE}manifest.json`, serving(Buffer.from('{"lie":1}'), '"honest"'));
  expect(await manifestOf()).toBe('{"lie":1}');
  // Trust refused it; the honest server has had this ETag all along.
  server.on(`${BASE}manifest.json`, serving(Buffer.from('{"honest":1}'), '"honest"'));
  expect(await manifestOf()).toBe('{"honest":1}');
});

test('what is in force is asked for conditionally', async () => {
  server.on(`${BASE}manifest.json`, serving(Buffer.from('{"honest":1}'), '"honest"'));
  await manifestOf();
  believed = true;
  await manifestOf();
  expect(server.requests.filter(({ path }) => path.endsWith('manifest.json')).at(-1)).toMatchObject({
    status: 304,
  });
});

test('an ETag too long for an honest server is not sent back', async () => {
  believed = true;
  server.on(`${BASE}manifest.json`, serving(Buffer.from('{"lie":1}'), `"${'e'.repeat(24_000)}"`));
  expect(await manifestOf()).toBe('{"lie":1}');
  server.on(`${BASE}manifest.json`, serving(Buffer.from('{"honest":1}'), '"honest"'));
  expect(await manifestOf()).toBe('{"honest":1}');
});

test('roots without end stop at 32 MiB of files', async () => {
  server.on(`${BASE}manifest.json`, answering(200, '{"a":1}'));
  server.on(`${BASE}release.jws.json`, answering(200, '{"payload":"e30","signatures":[]}'));
  server.on(`${BASE}agent-policy.yaml`, answering(404));
  server.on('*', answering(200, Buffer.alloc(400 * 1_024, 'r')));
  expect(await read()).toMatchObject({
    kind: 'retry',
    code: 'source_too_large',
    message: expect.stringContaining('33554432'),
  });
  expect(server.requests.length).toBeLessThan(100);
});
