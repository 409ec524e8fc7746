import { createHash } from 'node:crypto';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { DesiredSource } from '../../../reconciler/ports.ts';
import { createHttpSource } from '../../../sources/http/http-source.ts';
import { createSystemClock } from '../../../system/clock.ts';
import { createHttpClient, type HttpClient } from '../../../system/http-client.ts';
import {
  answering,
  endless,
  type LoopbackServer,
  redirecting,
  serving,
  startHttpServer,
} from '../../support/http-server.ts';

const BASE = '/files/raw/tenant/acme/';
const { signal } = new AbortController();
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
const revision = (manifest: string) => `tenant/acme@sha256:${sha256(manifest)}`;

let server: LoopbackServer;
let client: HttpClient;
let state: string;
let rootVersion: number;

beforeEach(async () => {
  server = await startHttpServer();
  client = createHttpClient({ userAgent: 'edge-agent/test', environment: {} });
  state = await mkdtemp(join(tmpdir(), 'http-source-'));
  rootVersion = 0;
});
afterEach(async () => {
  client.close();
  await server[Symbol.asyncDispose]();
  await rm(state, { recursive: true, force: true });
});

function source(
  timeoutMs = 5_000,
  authorization: () => Promise<string | null> = async () => null,
): DesiredSource {
  return createHttpSource({
    baseUrl: `${server.origin}/files/`,
    slug: 'acme',
    client,
    stateDirectory: state,
    timeoutMs,
    authorization,
    knownRootVersion: () => rootVersion,
    clock: createSystemClock(),
  });
}

function publish(path: string, text: string, etag: string | null = `"${sha256(text).slice(0, 16)}"`) {
  server.on(BASE + path, serving(Buffer.from(text), etag));
}

function statement(
  manifest: string,
  more: { policy?: string; root_version?: number; seq?: number } = {},
): string {
  const { policy, ...rest } = more;
  const bound = policy === undefined ? {} : { policy: { sha256: sha256(policy), length: policy.length } };
  const payload = { manifest: { sha256: sha256(manifest) }, ...bound, ...rest };
  return JSON.stringify({
    payload: Buffer.from(JSON.stringify(payload)).toString('base64url'),
    signatures: [],
  });
}

async function sync(from: DesiredSource) {
  const found = await from.observe(signal);
  if (found.kind !== 'found') throw new Error(JSON.stringify(found));
  const read = await from.read(found, signal);
  if (read.kind !== 'read') throw new Error(JSON.stringify(read));
  return { found, snapshot: read.snapshot };
}

/** Paths asked since the last call, below the tenant's folder. */
function asked(): string[] {
  return server.requests.splice(0).map(({ path, status }) => `${path.slice(BASE.length)} ${status}`);
}

const text = (bytes: Uint8Array | undefined) => new TextDecoder().decode(bytes);

test('reads manifest, statement, policy and the roots above the one in force', async () => {
  publish('manifest.json', '{"a":1}');
  publish('release.jws.json', statement('{"a":1}', { root_version: 3, policy: 'version: 1' }));
  publish('agent-policy.yaml', 'version: 1');
  for (const version of [1, 2, 3]) publish(`roots/${version}.root.jws.json`, `root ${version}`);
  rootVersion = 1;
  const { found, snapshot } = await sync(source());
  expect(found.revision).toBe(revision('{"a":1}'));
  expect(snapshot).toMatchObject({ revision: found.revision, commit: null, tags: [] });
  expect([...snapshot.files.keys()].sort()).toEqual([
    'agent-policy.yaml',
    'manifest.json',
    'release.jws.json',
    'roots/2.root.jws.json',
    'roots/3.root.jws.json',
  ]);
  expect(text(snapshot.files.get('roots/3.root.jws.json'))).toBe('root 3');
  expect(asked().at(-1)).toBe('roots/4.root.jws.json 404');
});

test('takes a manifest alone', async () => {
  publish('manifest.json', '{}');
  const { snapshot } = await sync(source());
  expect([...snapshot.files.keys()]).toEqual(['manifest.json']);
});

describe('when nothing changed', () => {
  test('asks twice, conditionally, gets no body and writes nothing', async () => {
    publish('manifest.json', '{}');
    publish('release.jws.json', statement('{}'));
    const from = source();
    const { found } = await sync(from);
    asked();
    const before = await readdir(join(state, 'http'));
    expect(await from.observe(signal)).toEqual(found);
    expect(asked()).toEqual(['manifest.json 304', 'release.jws.json 304']);
    expect(await readdir(join(state, 'http'))).toEqual(before);
  });

  test('knows it after a restart too, and reads without network', async () => {
    publish('manifest.json', '{}');
    publish('release.jws.json', statement('{}'));
    const { found, snapshot } = await sync(source());
    asked();
    const again = source();
    expect(await again.observe(signal)).toEqual(found);
    expect(asked()).toEqual(['manifest.json 304', 'release.jws.json 304']);
    expect(await again.read(found, signal)).toEqual({ kind: 'read', snapshot });
    expect(asked()).toEqual([]);
  });

  test('knows it by the bytes when the server gives no ETag', async () => {
    publish('manifest.json', '{}', null);
    const from = source();
    const { found } = await sync(from);
    expect(await from.observe(signal)).toEqual(found);
  });
});

describe('the fingerprint', () => {
  test('moves with the statement while the revision stays', async () => {
    publish('manifest.json', '{}');
    publish('release.jws.json', statement('{}', { seq: 1 }));
    const from = source();
    const first = await sync(from);
    publish('release.jws.json', statement('{}', { seq: 2 }));
    const second = await sync(from);
    expect(second.found.revision).toBe(first.found.revision);
    expect(second.found.fingerprint).not.toBe(first.found.fingerprint);
    expect(text(second.snapshot.files.get('release.jws.json'))).toContain('payload');
    expect(second.snapshot.files).not.toEqual(first.snapshot.files);
  });

  test('moves when the statement appears and when it goes', async () => {
    publish('manifest.json', '{}');
    const from = source();
    const unsigned = await sync(from);
    publish('release.jws.json', statement('{}'));
    const signed = await sync(from);
    server.on(`${BASE}release.jws.json`, answering(404));
    const stripped = await sync(from);
    expect(signed.found.fingerprint).not.toBe(unsigned.found.fingerprint);
    expect(stripped.found.fingerprint).toBe(unsigned.found.fingerprint);
    expect([...stripped.snapshot.files.keys()]).toEqual(['manifest.json']);
  });

  test('moves when a root that the statement needs is published late', async () => {
    publish('manifest.json', '{}');
    publish('release.jws.json', statement('{}', { root_version: 2 }));
    rootVersion = 1;
    const from = source();
    const early = await sync(from);
    const same = await sync(from);
    expect(same.snapshot.fingerprint).toBe(early.snapshot.fingerprint);
    publish('roots/2.root.jws.json', 'root 2');
    const late = await sync(from);
    expect(late.snapshot.fingerprint).not.toBe(early.snapshot.fingerprint);
    expect(late.snapshot.files.has('roots/2.root.jws.json')).toBe(true);
    asked();
    await from.observe(signal);
    expect(asked()).toHaveLength(2);
  });

  test('moves when a policy that the statement binds is published late', async () => {
    publish('manifest.json', '{}');
    publish('release.jws.json', statement('{}', { policy: 'version: 1' }));
    const from = source();
    const early = await sync(from);
    publish('agent-policy.yaml', 'version: 1');
    const late = await sync(from);
    expect(late.snapshot.fingerprint).not.toBe(early.snapshot.fingerprint);
    expect(text(late.snapshot.files.get('agent-policy.yaml'))).toBe('version: 1');
  });
});

test('looks at the manifest again when the release was published between the two requests', async () => {
  publish('manifest.json', 'old');
  publish('release.jws.json', statement('old'));
  const from = source();
  await sync(from);
  server.on(`${BASE}release.jws.json`, (request, response) => {
    publish('manifest.json', 'new');
    serving(Buffer.from(statement('new')), '"s2"')(request, response);
  });
  const { found } = await sync(from);
  expect(found.revision).toBe(revision('new'));
});

test('tries again soon when the manifest has moved on since it was observed', async () => {
  publish('manifest.json', 'old');
  const found = await source().observe(signal);
  publish('manifest.json', 'new');
  const outcome = await source().read(found as { revision: string; fingerprint: string }, signal);
  expect(outcome).toMatchObject({ kind: 'retry', code: 'source_malformed', afterMs: 1_000 });
});

describe('recall', () => {
  test('gives an earlier release without network, and null for what is not kept', async () => {
    const from = source();
    publish('manifest.json', 'one');
    const { snapshot } = await sync(from);
    publish('manifest.json', 'two');
    await sync(from);
    asked();
    expect(await source().recall(revision('one'))).toEqual(snapshot);
    expect(await from.recall(revision('three'))).toBeNull();
    expect(await from.recall(`tenant/acme@sha1:${'a'.repeat(40)}`)).toBeNull();
    expect(asked()).toEqual([]);
  });

  test('keeps the newest twenty', async () => {
    const from = source();
    for (let count = 0; count < 23; count += 1) {
      publish('manifest.json', `manifest ${count}`);
      await sync(from);
    }
    expect(await readdir(join(state, 'http'))).toHaveLength(21);
    expect(await from.recall(revision('manifest 22'))).not.toBeNull();
    expect(await from.recall(revision('manifest 0'))).toBeNull();
  });

  test('reads anew what the disk has damaged', async () => {
    publish('manifest.json', 'one');
    const { snapshot } = await sync(source());
    await writeFile(join(state, 'http', `${sha256('one')}.json`), '{"format":1,');
    expect(await source().recall(revision('one'))).toBeNull();
    expect((await sync(source())).snapshot).toEqual(snapshot);
  });
});

describe('what goes wrong', () => {
  test('no manifest is absent', async () => {
    expect(await source().observe(signal)).toMatchObject({
      kind: 'absent',
      message: expect.stringContaining('404'),
    });
  });

  test.each([
    [500, { kind: 'retry', code: 'server_error' }],
    [401, { kind: 'stalled', code: 'credentials_refused' }],
    [403, { kind: 'stalled', code: 'credentials_refused' }],
  ])('status %i is %o, for any of the files', async (status, expected) => {
    server.on(`${BASE}manifest.json`, answering(status));
    expect(await source().observe(signal)).toMatchObject(expected);
    publish('manifest.json', '{}');
    server.on(`${BASE}agent-policy.yaml`, answering(status));
    const from = source();
    const found = await from.observe(signal);
    expect(await from.read(found as { revision: string; fingerprint: string }, signal)).toMatchObject(
      expected,
    );
    expect(await from.recall(revision('{}'))).toBeNull();
  });

  test('an endless statement is trust’s to refuse, an endless manifest too large, a silent server a timeout, no server a network failure', async () => {
    publish('manifest.json', '{}');
    server.on(`${BASE}release.jws.json`, endless(64 * 1_024, 0));
    // What is left of it is its size, for trust to refuse.
    const endlessly = source();
    const found = await endlessly.observe(signal);
    const read = await endlessly.read(found as { revision: string; fingerprint: string }, signal);
    if (read.kind !== 'read') throw new Error(read.message);
    expect(read.snapshot.files.get('release.jws.json')?.length).toBe(512 * 1_024 + 1);
    server.on(`${BASE}manifest.json`, endless(64 * 1_024, 0));
    expect(await source().observe(signal)).toMatchObject({ kind: 'retry', code: 'source_too_large' });
    publish('manifest.json', '{}');
    server.on(`${BASE}release.jws.json`, () => {});
    expect(await source(150).observe(signal)).toMatchObject({ kind: 'retry', code: 'timeout' });
    const from = source();
    await server[Symbol.asyncDispose]();
    expect(await from.observe(signal)).toMatchObject({ kind: 'retry', code: 'network' });
    server = await startHttpServer();
  });

  test('an abort is thrown', async () => {
    server.on(`${BASE}manifest.json`, () => {});
    const reason = new Error('stop');
    const controller = new AbortController();
    setTimeout(() => controller.abort(reason), 30);
    await expect(source().observe(controller.signal)).rejects.toBe(reason);
  });
});

describe('credentials', () => {
  test('go with every request, and to no other origin', async () => {
    await using other = await startHttpServer();
    publish('manifest.json', '{}');
    await sync(source(5_000, async () => 'Basic abc'));
    for (const { headers } of server.requests) expect(headers.authorization).toBe('Basic abc');
    server.on(`${BASE}manifest.json`, redirecting(`${other.origin}/m`));
    expect(await source(5_000, async () => 'Basic abc').observe(signal)).toMatchObject({
      kind: 'retry',
      code: 'redirect_refused',
    });
    expect(other.requests).toEqual([]);
  });

  test('that cannot be read need a person', async () => {
    const authorization = () => Promise.reject(new Error('git-token: expected mode 0600'));
    expect(await source(5_000, authorization).observe(signal)).toEqual({
      kind: 'stalled',
      code: 'credentials_refused',
      message: 'git-token: expected mode 0600',
    });
  });
});

test('has no tags and no objects to clean up', async () => {
  expect(await source().cleanUp(new Date(), 30, false)).toEqual({ tags: [], objects: 0, bytes: 0 });
});
