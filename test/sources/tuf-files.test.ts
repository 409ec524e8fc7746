import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { DesiredSource } from '../../reconciler/ports.ts';
import { createHttpSource } from '../../sources/http/http-source.ts';
import { createSystemClock } from '../../system/clock.ts';
import { createHttpClient } from '../../system/http-client.ts';
import { mustBeFound } from '../contract/desired-source.ts';
import { type GitServer, startGitServer } from '../support/git-server.ts';
import { makeGitSource } from '../support/git-source.ts';
import { answering, type LoopbackServer, serving, startHttpServer } from '../support/http-server.ts';

const signal = new AbortController().signal;
const metadata = (meta: object) => JSON.stringify({ signed: { meta } });
const CONSISTENT = {
  'manifest.json': '{}',
  'trigger-keys.json': '{"keys":{}}',
  'metadata/2.root.json': 'root 2',
  'metadata/timestamp.json': metadata({ 'snapshot.json': { version: 3 } }),
  'metadata/3.snapshot.json': metadata({ 'targets.json': { version: 5 }, 'team/a.json': { version: 2 } }),
  'metadata/5.targets.json': 'targets 5',
  'metadata/2.team%2Fa.json': 'team',
};
/** Of other publications, of our own format, and of nothing. */
const BESIDE = {
  'metadata/4.targets.json': 'targets 4',
  'metadata/2.snapshot.json': metadata({ 'targets.json': { version: 4 } }),
  'metadata/index.html': 'hello',
  'roots/2.root.jws.json': 'ours',
  'targets/manifest.json': 'another',
};
const PLAIN = {
  'manifest.json': '{}',
  'metadata/timestamp.json': metadata({ 'snapshot.json': { version: 3 } }),
  'metadata/snapshot.json': metadata({ 'targets.json': { version: 5 } }),
  'metadata/targets.json': 'targets 5',
};

let state: string;
beforeEach(async () => {
  state = await mkdtemp(join(tmpdir(), 'tuf-files-'));
});
afterEach(() => rm(state, { recursive: true, force: true }));

async function read(source: DesiredSource) {
  const result = await source.read(mustBeFound(await source.observe(signal)), signal);
  if (result.kind !== 'read') return result;
  return Object.fromEntries(
    [...result.snapshot.files].map(([path, bytes]) => [path, Buffer.from(bytes).toString()]),
  );
}

describe('git with a TUF repository on the branch', { timeout: 60_000 }, () => {
  let server: GitServer;
  beforeEach(async () => {
    server = await startGitServer();
  });
  afterEach(() => server[Symbol.asyncDispose]());
  const commit = (files: Parameters<ReturnType<GitServer['createRepository']>['commit']>[0]['files']) =>
    server.createRepository('acme').commit({ ref: 'refs/heads/tenant/acme', files });
  const source = () => makeGitSource({ url: server.url('acme'), stateDirectory: state, tuf: true });

  it('reads what timestamp and snapshot name, and nothing beside it', async () => {
    commit({ ...CONSISTENT, ...BESIDE });
    using git = source();
    expect(await read(git)).toEqual(CONSISTENT);
  });

  it('reads a repository without versions in its names', async () => {
    commit({ ...PLAIN, ...BESIDE, 'metadata/2.snapshot.json': 'old' });
    using git = source();
    expect(await read(git)).toEqual(PLAIN);
  });

  it('hands on the size of a file that is too large, for trust to refuse', async () => {
    commit({ ...CONSISTENT, 'metadata/timestamp.json': ' '.repeat(20_000) });
    using git = source();
    const files = await read(git);
    expect(files).toMatchObject({ 'metadata/timestamp.json': '\0'.repeat(16 * 1_024 + 1) });
  });

  it.each([
    [
      'a link in the place of a file',
      { 'metadata/timestamp.json': { link: '/etc/passwd' } },
      'source_malformed',
    ],
    ['a file in the place of the folder', { metadata: 'a file' }, 'source_malformed'],
    [
      'more roles than a snapshot may name',
      {
        ...CONSISTENT,
        'metadata/3.snapshot.json': metadata(
          Object.fromEntries(Array.from({ length: 1_025 }, (_, index) => [`r${index}.json`, { version: 1 }])),
        ),
      },
      'source_too_large',
    ],
  ] as const)('does not take %s', async (_name, files, code) => {
    commit({ 'manifest.json': '{}', ...files });
    using git = source();
    expect(await read(git)).toMatchObject({ kind: 'retry', code });
  });
});

describe('raw files of a TUF repository', () => {
  let server: LoopbackServer;
  let published: Readonly<Record<string, string>>;
  beforeEach(async () => {
    server = await startHttpServer();
    server.on('*', (request, response) => {
      const text = published[(request.url as string).replace('/raw/tenant/acme/', '')];
      const etag = `"${Buffer.from(text ?? '')
        .toString('base64url')
        .slice(0, 2_000)}"`;
      (text === undefined ? answering(404) : serving(Buffer.from(text), etag))(request, response);
    });
  });
  afterEach(() => server[Symbol.asyncDispose]());
  const client = createHttpClient({ userAgent: 'edge-agent/test', environment: {} });
  const source = (passed = () => 0) =>
    createHttpSource({
      baseUrl: server.origin,
      slug: 'acme',
      tuf: true,
      client,
      stateDirectory: state,
      timeoutMs: 20_000,
      authorization: async () => null,
      knownRootVersion: () => 1,
      clock: { ...createSystemClock(), monotonicMs: () => performance.now() + passed() },
    });

  it('are those that timestamp and snapshot name, quoted as they are published', async () => {
    published = { ...CONSISTENT, ...BESIDE };
    expect(await read(source())).toEqual(CONSISTENT);
    published = { ...PLAIN, 'manifest.json': '{"other":1}' };
    expect(await read(source())).toEqual(published);
  });

  it('cost two requests while nothing changes', async () => {
    published = CONSISTENT;
    const http = source();
    await read(http);
    const before = server.requests.length;
    await read(http);
    expect(server.requests.length - before).toBe(2);
    published = {
      ...CONSISTENT,
      'metadata/timestamp.json': metadata({ 'snapshot.json': { version: 4 } }),
      'metadata/4.snapshot.json': metadata({ 'targets.json': { version: 5 }, 'team/a.json': { version: 3 } }),
      'metadata/3.team%2Fa.json': 'team 3',
    };
    expect(await read(http)).toMatchObject({
      'metadata/3.team%2Fa.json': 'team 3',
      'metadata/5.targets.json': 'targets 5',
    });
  });

  it('are looked for again while one that another names is missing', async () => {
    const { 'metadata/5.targets.json': targets, ...others } = CONSISTENT;
    published = others;
    const http = source();
    expect(await read(http)).not.toHaveProperty(['metadata/5.targets.json']);
    published = { ...others, 'metadata/5.targets.json': targets };
    expect(await read(http)).toHaveProperty(['metadata/5.targets.json']);
  });

  it('are asked for again after ten minutes: a copy that somebody spoilt is not kept for ever', async () => {
    let minutes = 0;
    const http = source(() => minutes * 60_000);
    published = { ...CONSISTENT, 'metadata/5.targets.json': 'spoilt' };
    expect(await read(http)).toHaveProperty(['metadata/5.targets.json'], 'spoilt');
    published = CONSISTENT;
    expect(await read(http)).toHaveProperty(['metadata/5.targets.json'], 'spoilt');
    minutes = 11;
    expect(await read(http)).toEqual(CONSISTENT);
  });
});
