import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { desiredSourceContract, mustBeFound } from '../../contract/desired-source.ts';
import { makeCertificate } from '../../support/certificate.ts';
import { type GitServer, startGitServer } from '../../support/git-server.ts';
import { makeGitSource, spawnFetcher } from '../../support/git-source.ts';

const folders: string[] = [];
const stateDirectory = () => {
  const folder = mkdtempSync(join(tmpdir(), 'git-source-'));
  folders.push(folder);
  return folder;
};
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});
const BRANCH = 'refs/heads/tenant/acme';
const DAY = 86_400;
const signal = new AbortController().signal;
const daysAgo = (days: number) => `${Math.floor(Date.now() / 1_000) - days * DAY} +0000`;
const git = (state: string, ...args: string[]) =>
  execFileSync('git', ['-C', join(state, 'git'), ...args], { encoding: 'utf8', stdio: 'pipe' }).trim();
const bodies = (server: GitServer, since = 0) =>
  server.requests.slice(since).map((request) => request.body.toString());

desiredSourceContract('git', async ({ timeoutMs }) => {
  const server = await startGitServer();
  const repository = server.createRepository('acme');
  const state = stateDirectory();
  const source = makeGitSource({ url: server.url('acme'), stateDirectory: state, timeoutMs });
  return {
    source,
    stateDirectory: state,
    publish: async (files) => void repository.commit({ ref: BRANCH, files }),
    requests: () => server.requests.length,
    fail(how) {
      server.intercept = (_request, response) => {
        if (how !== 'silent') response.writeHead(how).end();
        return true;
      };
    },
    stop: () => server[Symbol.asyncDispose](),
    async [Symbol.asyncDispose]() {
      source[Symbol.dispose]();
      if (existsSync(server.folder)) await server[Symbol.asyncDispose]();
    },
  };
});

async function world(options: Parameters<typeof startGitServer>[0] & { credentials?: string } = {}) {
  const server = await startGitServer(options);
  const repository = server.createRepository('acme');
  const state = stateDirectory();
  const source = makeGitSource({
    url: server.url('acme'),
    stateDirectory: state,
    credentials: options.credentials ?? null,
  });
  const found = async () => mustBeFound(await source.observe(signal));
  const read = async () => {
    const result = await source.read(await found(), signal);
    if (result.kind !== 'read') throw new Error(JSON.stringify(result));
    return result;
  };
  return {
    server,
    repository,
    state,
    source,
    found,
    read,
    async [Symbol.asyncDispose]() {
      source[Symbol.dispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}

describe('the branch', () => {
  test('is matched whole: tenant/acme-2 is another customer', async () => {
    await using here = await world();
    here.repository.commit({ ref: 'refs/heads/tenant/acme-2', files: { 'manifest.json': '{}' } });
    expect(await here.source.observe(signal)).toMatchObject({ kind: 'absent' });
  });

  test('is absent in a repository that is not there', async () => {
    await using here = await world();
    using source = makeGitSource({ url: here.server.url('other'), stateDirectory: here.state });
    expect(await source.observe(signal)).toMatchObject({
      kind: 'absent',
      message: expect.stringContaining('404'),
    });
  });

  test('and its tags are all that is asked for, its tip all that is wanted', async () => {
    await using here = await world();
    here.repository.commit({ ref: 'refs/heads/core', files: { secret: 'core' } });
    here.repository.commit({ ref: 'refs/heads/tenant/other', files: { secret: 'other' } });
    const tip = here.repository.commit({ ref: BRANCH, files: { 'manifest.json': '{}' } });
    await here.read();
    const asked = bodies(here.server).join('');
    expect(new Set(asked.match(/ref-prefix [^\n]*/g))).toEqual(
      new Set(['ref-prefix refs/heads/tenant/acme', 'ref-prefix refs/tags/']),
    );
    expect(asked.match(/want [^\n]*/g)).toEqual([`want ${tip}`]);
    expect(here.server.requests.every((request) => request.headers['git-protocol'] === 'version=2')).toBe(
      true,
    );
    expect(git(here.state, 'log', '--all', '--format=%H')).toBe(tip);
  });

  test('is kept as a repository that git can read', async () => {
    await using here = await world();
    const first = here.repository.commit({ ref: BRANCH, files: { 'manifest.json': '{"n":1}' } });
    here.repository.tag('v1.0.1', first, 'One');
    here.repository.tag('bld/7', first);
    const { snapshot } = await here.read();
    expect([...snapshot.tags].sort()).toEqual(['bld/7', 'v1.0.1']);
    const second = here.repository.commit({
      ref: BRANCH,
      files: { 'manifest.json': '{"n":2}' },
      message: 'Raise the number\n\nBecause.',
      author: 'Grace Hopper <grace@example.invalid>',
      authored: '1700000000 +0530',
    });
    const later = await here.read();
    expect(later.snapshot.commit).toEqual({
      subject: 'Raise the number',
      author: 'Grace Hopper',
      time: '2023-11-14T22:13:20Z',
    });
    expect(later.snapshot.tags).toEqual([]);
    expect(git(here.state, 'log', '--format=%H', 'tenant/acme')).toBe(`${second}\n${first}`);
    expect(git(here.state, 'cat-file', '-t', 'v1.0.1')).toBe('tag');
    expect(git(here.state, 'fsck', '--full', '--strict')).toBe('');
    const recalled = await here.source.recall(`tenant/acme@sha1:${first}`);
    expect(recalled?.tags).toHaveLength(2);
  });

  test('is followed over a forced push, and the read says so', async () => {
    await using here = await world();
    const base = here.repository.commit({ ref: BRANCH, files: { 'manifest.json': '{"n":1}' } });
    here.repository.commit({ ref: BRANCH, files: { 'manifest.json': '{"n":2}' } });
    expect((await here.read()).rewritten).toBe(false);
    here.repository.commit({ ref: BRANCH, files: { 'manifest.json': '{"n":3}' }, parents: [base] });
    expect((await here.read()).rewritten).toBe(true);
    here.repository.commit({ ref: BRANCH, files: { 'manifest.json': '{"n":4}' } });
    expect((await here.read()).rewritten).toBe(false);
    here.repository.commit({ ref: BRANCH, files: { 'manifest.json': '{"n":5}' }, parents: null });
    expect((await here.read()).rewritten).toBe(true);
    here.repository.git('update-ref', BRANCH, base);
    const back = await here.read();
    expect(back.rewritten).toBe(true);
    expect(Buffer.from(back.snapshot.files.get('manifest.json') ?? '').toString()).toBe('{"n":1}');
    expect(git(here.state, 'fsck', '--full')).not.toMatch(/missing|broken|error/);
  });

  test('is kept back to keep_days, and its tip alone when all of it is older', async () => {
    await using here = await world();
    const commits = [80, 50, 20, 10].map((days) =>
      here.repository.commit({ ref: BRANCH, files: { 'manifest.json': `${days}` }, authored: daysAgo(days) }),
    );
    await here.read();
    expect(git(here.state, 'log', '--format=%H', 'tenant/acme').split('\n')).toEqual(
      commits.slice(2).reverse(),
    );
    expect(git(here.state, 'fsck', '--full')).toBe('');

    const old = here.server.createRepository('old');
    for (const days of [90, 80]) {
      old.commit({ ref: BRANCH, files: { 'manifest.json': `${days}` }, authored: daysAgo(days) });
    }
    const state = stateDirectory();
    using source = makeGitSource({ url: here.server.url('old'), stateDirectory: state });
    expect(await source.read(mustBeFound(await source.observe(signal)), signal)).toMatchObject({
      kind: 'read',
    });
    expect(git(state, 'rev-list', '--count', 'tenant/acme')).toBe('1');
    old.commit({ ref: BRANCH, files: { 'manifest.json': 'new' } });
    expect(await source.read(mustBeFound(await source.observe(signal)), signal)).toMatchObject({
      kind: 'read',
    });
    expect(git(state, 'rev-list', '--count', 'tenant/acme')).toBe('2');
    expect(git(state, 'fsck', '--full')).toBe('');
  });

  test('is found and read on a server that does not speak protocol 2', async () => {
    await using here = await world({ protocol: 0 });
    const first = here.repository.commit({ ref: BRANCH, files: { 'manifest.json': '{"n":1}' } });
    here.repository.tag('v1.0.1', first, 'One');
    here.repository.commit({ ref: 'refs/heads/tenant/other', files: { secret: 'other' } });
    expect((await here.read()).snapshot.tags).toEqual(['v1.0.1']);
    here.repository.commit({ ref: BRANCH, files: { 'manifest.json': '{"n":2}' } });
    expect((await here.read()).rewritten).toBe(false);
    expect(git(here.state, 'rev-list', '--count', '--all')).toBe('2');
    const requests = here.server.requests.length;
    await here.found();
    expect(here.server.requests.length - requests).toBe(1);
  });

  test('is read over TLS by agent and child with the CA file of the configuration', async () => {
    using certificate = makeCertificate();
    await using server = await startGitServer({ tls: certificate });
    server.createRepository('acme').commit({ ref: BRANCH, files: { 'manifest.json': '1' } });
    const network = {
      userAgent: 'edge-agent/test',
      caFile: certificate.caFile,
      proxy: null,
      environment: {},
    };
    using source = makeGitSource({ url: server.url('acme'), stateDirectory: stateDirectory(), network });
    const found = mustBeFound(await source.observe(signal));
    expect(await source.read(found, signal)).toMatchObject({ kind: 'read' });
    using distrustful = makeGitSource({ url: server.url('acme'), stateDirectory: stateDirectory() });
    expect(await distrustful.observe(signal)).toMatchObject({ kind: 'retry', code: 'network' });
  });

  test('is fetched anew when the cache is damaged', async () => {
    await using here = await world();
    here.repository.commit({ ref: BRANCH, files: { 'manifest.json': '{"n":1}' } });
    await here.read();
    const packs = join(here.state, 'git', 'objects', 'pack');
    const [pack = ''] = readdirSync(packs).filter((name) => name.endsWith('.pack'));
    writeFileSync(join(packs, pack), readFileSync(join(packs, pack)).fill(0, 14, 40));
    const { snapshot } = await here.read();
    expect(Buffer.from(snapshot.files.get('manifest.json') ?? '').toString()).toBe('{"n":1}');
    expect(here.source.warnings.join()).toContain('fetched anew');
    expect(git(here.state, 'fsck', '--full')).toBe('');
  });
});

describe('tags', () => {
  test('follow the server when they move or go, and only when the branch moved', async () => {
    await using here = await world();
    const first = here.repository.commit({ ref: BRANCH, files: { 'manifest.json': '1' } });
    here.repository.tag('v1.0.1', first);
    here.repository.tag('gone', first);
    await here.read();
    here.repository.git('tag', '-d', 'gone');
    const second = here.repository.commit({ ref: BRANCH, files: { 'manifest.json': '2' } });
    here.repository.tag('v1.0.1', second);
    const requests = here.server.requests.length;
    const { snapshot } = await here.read();
    expect(snapshot.tags).toEqual(['v1.0.1']);
    expect(git(here.state, 'tag')).toBe('v1.0.1');
    expect(
      bodies(here.server, requests)
        .join('')
        .match(/refs\/tags\//g),
    ).toHaveLength(1);
    await here.read();
    expect(
      bodies(here.server, requests)
        .join('')
        .match(/refs\/tags\//g),
    ).toHaveLength(1);
  });

  test('on a later annotated name for an old commit are kept as plain refs', async () => {
    await using here = await world();
    const first = here.repository.commit({ ref: BRANCH, files: { 'manifest.json': '1' } });
    await here.read();
    here.repository.tag('late', first, 'Late');
    here.repository.commit({ ref: BRANCH, files: { 'manifest.json': '2' } });
    await here.read();
    expect(git(here.state, 'rev-parse', 'late')).toBe(first);
    expect((await here.source.recall(`tenant/acme@sha1:${first}`))?.tags).toEqual(['late']);
  });

  test('that the clean-up removed do not come back', async () => {
    await using here = await world();
    const times = { authored: daysAgo(40), committed: daysAgo(5) };
    const first = here.repository.commit({ ref: BRANCH, files: { 'manifest.json': '1' }, ...times });
    here.repository.tag('bld/1', first);
    here.repository.tag('v1.0.1', first);
    expect([...(await here.read()).snapshot.tags].sort()).toEqual(['bld/1', 'v1.0.1']);
    expect(await here.source.cleanUp(new Date(), 30, false)).toMatchObject({ tags: ['bld/1'] });
    const second = here.repository.commit({ ref: BRANCH, files: { 'manifest.json': '2' } });
    here.repository.tag('bld/2', second);
    await here.read();
    expect(git(here.state, 'tag')).toBe('bld/2\nv1.0.1');
  });

  test('of other branches are not kept', async () => {
    await using here = await world();
    const other = here.repository.commit({ ref: 'refs/heads/tenant/other', files: { secret: 'x' } });
    here.repository.tag('other', other);
    here.repository.commit({ ref: BRANCH, files: { 'manifest.json': '1' } });
    await here.read();
    expect(git(here.state, 'tag')).toBe('');
  });

  test('over the cap of their listing are left as they were, with a warning', async () => {
    await using here = await world();
    const first = here.repository.commit({ ref: BRANCH, files: { 'manifest.json': '1' } });
    for (let n = 0; n < 20; n += 1) here.repository.tag(`a-long-name-of-a-tag-${n}`, first);
    const state = stateDirectory();
    using source = makeGitSource({
      url: here.server.url('acme'),
      stateDirectory: state,
      budgets: { tagListingBytes: 1_000 },
    });
    expect(await source.read(await here.found(), signal)).toMatchObject({
      kind: 'read',
      snapshot: { tags: [] },
    });
    expect(source.warnings.join()).toContain('1000 bytes');
  });
});

describe('the fetcher child', () => {
  test('is ended with the read, and leaves nothing', async () => {
    await using here = await world();
    here.repository.commit({ ref: BRANCH, files: { 'manifest.json': '1' } });
    const found = await here.found();
    const controller = new AbortController();
    const reason = new Error('shutting down');
    const children: ReturnType<typeof spawnFetcher>[] = [];
    here.server.intercept = () => {
      controller.abort(reason);
      return true;
    };
    using source = makeGitSource({
      url: here.server.url('acme'),
      stateDirectory: here.state,
      spawn: (...request) => {
        const child = spawnFetcher(...request);
        children.push(child);
        return child;
      },
    });
    await expect(source.read(found, controller.signal)).rejects.toBe(reason);
    expect(children.map((child) => child.signalCode)).toEqual(['SIGKILL']);
    expect(readdirSync(here.state)).toEqual([]);
  });

  test('is ended when it takes more memory than it may', async () => {
    await using here = await world();
    here.repository.commit({ ref: BRANCH, files: { 'manifest.json': '1' } });
    const found = await here.found();
    here.server.intercept = () => true;
    using source = makeGitSource({
      url: here.server.url('acme'),
      stateDirectory: here.state,
      budgets: { childMemoryBytes: 30 * 1_048_576 },
    });
    expect(await source.read(found, signal)).toMatchObject({
      kind: 'retry',
      code: 'source_too_large',
      message: expect.stringContaining('memory'),
    });
    expect(readdirSync(here.state)).toEqual([]);
  });
});

describe('credentials', () => {
  test('are sent as they are, or as the password of a token', async () => {
    await using here = await world({ credentials: 'ada:s3cret' });
    here.repository.commit({ ref: BRANCH, files: { 'manifest.json': '1' } });
    await here.read();
    here.server.credentials = 'bare-token';
    using source = makeGitSource({
      url: here.server.url('acme'),
      stateDirectory: stateDirectory(),
      credentials: 'bare-token',
    });
    expect(await source.observe(signal)).toMatchObject({ kind: 'found' });
  });

  test('that are refused during a read stall it', async () => {
    await using here = await world();
    here.repository.commit({ ref: BRANCH, files: { 'manifest.json': '1' } });
    const found = await here.found();
    here.server.credentials = 'ada:new';
    expect(await here.source.read(found, signal)).toMatchObject({
      kind: 'stalled',
      code: 'credentials_refused',
    });
  });

  test('follow a redirect within the origin and never leave it', async () => {
    await using elsewhere = await startGitServer();
    elsewhere.createRepository('acme').commit({ ref: BRANCH, files: { 'manifest.json': 'lie' } });
    await using here = await world({ credentials: 'ada:s3cret' });
    here.repository.commit({ ref: BRANCH, files: { 'manifest.json': '1' } });
    const redirect = (to: string) => {
      here.server.intercept = (request, response) => {
        if (!request.path.startsWith('/moved')) return false;
        response.writeHead(302, { location: `${to}${request.path.slice('/moved'.length)}` }).end();
        return true;
      };
    };
    using source = makeGitSource({
      url: `${here.server.origin}/moved/acme.git`,
      stateDirectory: stateDirectory(),
      credentials: 'ada:s3cret',
    });
    redirect('');
    const found = mustBeFound(await source.observe(signal));
    expect(await source.read(found, signal)).toMatchObject({ kind: 'read' });
    redirect(elsewhere.origin);
    using distrustful = makeGitSource({
      url: `${here.server.origin}/moved/acme.git`,
      stateDirectory: stateDirectory(),
      credentials: 'ada:s3cret',
    });
    expect(await distrustful.observe(signal)).toMatchObject({ kind: 'retry', code: 'redirect_refused' });
    expect(elsewhere.requests).toEqual([]);
  });
});
