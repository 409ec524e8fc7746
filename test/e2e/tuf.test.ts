import { createHash } from 'node:crypto';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Event } from '../../schemas/event.ts';
import { RefusalCode } from '../../schemas/reasons.ts';
import { serving, startHttpServer } from '../support/http-server.ts';
import { requirePart } from '../support/parts.ts';
import { type PythonTuf, startPythonTuf, type TufPublisher } from '../support/tuf-publisher.ts';
import { createWorld, helloBundle, manifestV1, type World } from '../support/world.ts';

const packages = requirePart('pythonTuf');
const BRANCH = 'refs/heads/tenant/acme';
const MANIFEST = 'tenant/acme/manifest.json';

let python: PythonTuf;
let world: World;
let publisher: TufPublisher;
let manifest: string;
beforeAll(() => {
  if (packages !== null) python = startPythonTuf(packages);
});
afterAll(() => python?.[Symbol.asyncDispose]());
beforeEach(async () => {
  if (packages === null) return;
  world = await createWorld();
  publisher = await python.publisher({ threshold: 2 });
  writeFileSync(join(world.folder, 'root.json'), publisher.root);
  world.writeConfig({ trust: { mode: 'tuf', root: 'root.json' } });
});
afterEach(() => world?.[Symbol.asyncDispose]());

type Files = Record<string, string>;

/** Signs a manifest for a bundle as the next release. */
async function sign(text: string, custom?: object): Promise<void> {
  manifest = JSON.stringify(manifestV1(world, `${text}.tar.gz`, helloBundle(text)));
  await publisher.order('target', { path: MANIFEST, content: manifest, custom });
  await publisher.order('publish');
}

/** What lies on the branch, with changes; null leaves a file out. */
async function branch(changes: Readonly<Record<string, string | null>> = {}): Promise<Files> {
  const all = Object.entries({ 'manifest.json': manifest, ...(await publisher.files()), ...changes });
  return Object.fromEntries(all.filter((entry): entry is [string, string] => entry[1] !== null));
}

async function push(changes: Readonly<Record<string, string | null>> = {}): Promise<void> {
  world.repository.commit({ ref: BRANCH, files: await branch(changes) });
}

const refusals = async () =>
  (await world.json<Event[]>('events')).document
    .filter(({ reason }) => reason === 'ReleaseRefused')
    .map(({ because }) => because);

describe.skipIf(packages === null)('an agent with trust.mode: tuf', { timeout: 600_000 }, () => {
  it('runs what a TUF repository released, follows it, and says whom it believes', async () => {
    await sign('one', { version: 'v1.0.1' });
    await push();
    const first = await world.reconcile();
    expect({ code: first.code, stderr: first.stderr }).toEqual({ code: 0, stderr: '' });
    expect(first.document.trust).toMatchObject({ mode: 'tuf', root_version: 1, seq: 2 });
    expect(Date.parse(first.document.trust.release_expires as string)).toBeGreaterThan(Date.now());
    expect(world.current()).toMatchObject({ seq: { value: 2 }, flows: { default: { version: 'v1.0.1' } } });
    expect((await world.reconcile()).document.actions).toEqual([]);

    // other keys for all roles, then a release under them
    for (const role of ['timestamp', 'snapshot', 'targets']) await publisher.order('rotate', { role });
    await publisher.order('rotate', { role: 'root', count: 2 });
    await publisher.order('root');
    await sign('two', { version: 'v1.0.2' });
    await push();
    const second = await world.reconcile();
    expect(second).toMatchObject({ code: 0, document: { trust: { root_version: 2, seq: 3 } } });
    expect(world.current().flows['default']).toMatchObject({
      version: 'v1.0.2',
      previous: { version: 'v1.0.1' },
    });
    expect((await world.json('trigger', 'default', '--wait')).document).toMatchObject({
      stdout: 'two v1.0.2\n',
    });
    expect((await world.json<{ release: object }>('verify')).document.release).toMatchObject({
      state: 'verified',
    });
  });

  it('is found well by doctor while its timestamp is days from its end, as it always is', async () => {
    const look = async () => {
      const { document } = await world.json<{
        checks: { name: string; status: string; found: string; fix: string }[];
      }>('doctor');
      const of = (name: string) => document.checks.find((check) => check.name === name);
      return { root: of('trust.root'), release: of('trust.release') };
    };
    const inHours = (hours: number) => new Date(Date.now() + hours * 3_600_000).toISOString();
    await publisher.order('expire', { role: 'timestamp', at: inHours(60) });
    await sign('one', { version: 'v1' });
    await push();
    expect((await world.reconcile()).code).toBe(0);
    const good = await look();
    expect(good.root?.found).toMatch(/^TUF version 1, expires .*; keys: .*root 2 of 2/);
    expect(good.release).toMatchObject({
      status: 'ok',
      found: expect.stringContaining('timestamp is the first to end'),
    });
    await publisher.order('expire', { role: 'timestamp', at: inHours(6) });
    await publisher.order('publish');
    await push();
    await world.reconcile();
    expect((await look()).release).toMatchObject({ status: 'warn', fix: 'have timestamp signed again' });
  });

  it('keeps what runs through every lie, names each by its code, and takes the next honest release', async () => {
    await sign('one', { version: 'v1' });
    const old = await branch();
    await sign('two', { version: 'v2' });
    await push();
    expect((await world.reconcile()).code).toBe(0);
    const good = world.current();
    const honest = await branch();
    const forger = await python.publisher();
    await forger.order('target', { path: MANIFEST, content: manifest });
    await forger.order('publish');
    const foreign = await forger.files();
    const lies: Partial<Record<RefusalCode, () => Promise<Files> | Files>> = {
      tuf_rollback: () => old,
      tuf_metadata_missing: () => branch({ 'metadata/timestamp.json': null }),
      threshold_not_met: () =>
        branch({ 'metadata/timestamp.json': foreign['metadata/timestamp.json'] as string }),
      tuf_equivocation: async () => {
        await publisher.order('version', { role: 'timestamp', to: 2 });
        await publisher.order('publish', { roles: [] });
        return branch();
      },
      tuf_metadata_mismatch: async () => {
        await publisher.order('publish');
        return branch({ 'metadata/5.snapshot.json': honest['metadata/3.snapshot.json'] as string });
      },
      tuf_trigger_keys_invalid: async () => {
        await publisher.order('target', { path: 'tenant/acme/trigger-keys.json', content: '{}' });
        await publisher.order('publish');
        return branch({ 'trigger-keys.json': '{}' });
      },
      tuf_target_missing: async () => {
        await publisher.order('remove', { path: 'tenant/acme/trigger-keys.json' });
        await publisher.order('remove', { path: MANIFEST });
        await publisher.order('target', { path: 'tenant/globex/manifest.json', content: manifest });
        await publisher.order('publish');
        return branch();
      },
      release_expired: async () => {
        await publisher.order('expire', { role: 'timestamp', at: '2026-01-01T00:00:00Z' });
        await publisher.order('publish', { roles: [] });
        return branch();
      },
    };
    for (const [code, files] of Object.entries(lies)) {
      world.repository.commit({ ref: BRANCH, files: await files() });
      const { code: exit, document } = await world.reconcile();
      expect({ code, exit, error: document.error?.code ?? document.conditions[1]?.reason }).toMatchObject({
        code,
        exit: 3,
      });
      expect(world.current()).toEqual(good);
    }
    expect(await refusals()).toEqual(Object.keys(lies));
    expect(RefusalCode.options.filter((code) => code.startsWith('tuf_') && !(code in lies))).toEqual([]);

    await publisher.order('expire', { role: 'timestamp', at: new Date(Date.now() + 9e8).toISOString() });
    await sign('three', { version: 'v3' });
    await push();
    expect((await world.reconcile()).code).toBe(0);
    expect(world.current().flows['default']?.version).toBe('v3');
  });

  it('is led back by nobody who deletes what it remembers, one place or two', async () => {
    await sign('one');
    const old = await branch();
    await sign('two');
    await push();
    expect((await world.reconcile()).code).toBe(0);
    world.repository.commit({ ref: BRANCH, files: old, parents: null });
    const state = join(world.cache, '.agent');
    const credentials = join(world.folder, 'credentials', 'trust-state.json');
    for (const lost of [[state], [credentials], [state, credentials]]) {
      for (const path of lost) rmSync(path, { recursive: true });
      expect({ lost, code: (await world.reconcile()).code }).toEqual({ lost, code: 3 });
      expect((await refusals()).at(-1)).toBe('tuf_rollback');
    }
  });

  it('follows the same repository as files over HTTP, with two requests while nothing changes', async () => {
    await using server = await startHttpServer();
    let files: Files = {};
    server.on('*', (request, response) => {
      const text = files[decodeURIComponent((request.url as string).replace('/raw/tenant/acme/', ''))];
      if (text === undefined) response.writeHead(404).end();
      else
        serving(Buffer.from(text), `"${createHash('sha256').update(text).digest('hex')}"`)(request, response);
    });
    const source = { kind: 'http', url: server.origin };
    world.writeConfig({ source, trust: { mode: 'tuf', root: 'root.json' } });
    await sign('one', { version: 'v1' });
    files = await branch();
    expect((await world.reconcile()).code).toBe(0);
    const before = server.requests.length;
    expect((await world.reconcile()).document.actions).toEqual([]);
    expect(server.requests.length - before).toBe(2);
    await publisher.order('rotate', { role: 'targets' });
    await publisher.order('root');
    await sign('second', { version: 'v2' });
    files = await branch();
    expect(await world.reconcile()).toMatchObject({
      code: 0,
      document: { trust: { root_version: 2, seq: 3 } },
    });
    expect(world.current().flows['default']?.version).toBe('v2');
    files = await branch({ 'manifest.json': `${manifest} ` });
    expect((await world.reconcile()).code).toBe(3);
  });
});
