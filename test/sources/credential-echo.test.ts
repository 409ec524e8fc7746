import { expect, test } from 'vitest';
import type { DesiredSource, Snapshot } from '../../reconciler/ports.ts';
import { withoutEcho } from '../../sources/credential-echo.ts';

const TOKEN = 'a-token-of-the-forge-0817';
const { signal } = new AbortController();
const basic = Buffer.from(`x-access-token:${TOKEN}`).toString('base64');
const found = { revision: 'tenant/acme@sha1:1', fingerprint: '1' };

function source(change: Partial<DesiredSource>): DesiredSource {
  const snapshot: Snapshot = {
    revision: found.revision,
    fingerprint: found.fingerprint,
    commit: { subject: `take ${TOKEN}`, author: basic, time: '2026-11-21T00:00:00Z' },
    tags: ['v1.0.1', `bld/${TOKEN}`],
    files: new Map([['manifest.json', Buffer.from(TOKEN)]]),
  };
  return {
    kind: 'git',
    observe: async () => ({ kind: 'found', ...found }),
    read: async () => ({ kind: 'read', snapshot }),
    recall: async () => snapshot,
    cleanUp: async () => ({ tags: [], objects: 0, bytes: 0 }),
    ...change,
  };
}

test.each([TOKEN, `user:${TOKEN}`])(
  'credentials that a server sends back reach nobody (%s)',
  async (credentials) => {
    const complaint = {
      kind: 'retry',
      code: 'server_error',
      message: `found "bad ${TOKEN}, ${basic}"`,
    } as const;
    const clean = withoutEcho(source({ observe: async () => complaint }), async () => credentials);
    const observed = await clean.observe(signal);
    expect(observed).toMatchObject({ kind: 'retry', code: 'server_error' });
    expect(JSON.stringify(observed)).not.toContain(TOKEN);
    expect(JSON.stringify(observed)).not.toContain(basic.slice(4, -4));
    for (const snapshot of [
      ((await clean.read(found, signal)) as { snapshot: Snapshot }).snapshot,
      (await clean.recall(found.revision)) as Snapshot,
    ]) {
      expect(JSON.stringify([snapshot.commit, snapshot.tags])).not.toContain(TOKEN);
      expect(snapshot.tags).toEqual(['v1.0.1']);
      // Hashes are compared with what came.
      expect(snapshot.files.get('manifest.json')).toEqual(Buffer.from(TOKEN));
    }
  },
);

test('a token that was replaced is taken out for as long as the server may remember it', async () => {
  let token: string | null = TOKEN;
  const message = `found "${TOKEN}"`;
  const clean = withoutEcho(
    source({ observe: async () => ({ kind: 'absent', message }) }),
    async () => token,
  );
  await clean.observe(signal);
  token = 'another-token-of-the-forge';
  expect(JSON.stringify(await clean.observe(signal))).not.toContain(TOKEN);
});

test('without credentials nothing is changed', async () => {
  const clean = withoutEcho(source({}), async () => null);
  expect(await clean.recall(found.revision)).toMatchObject({ tags: ['v1.0.1', `bld/${TOKEN}`] });
});

test('of many tags only those that send the token back are left out', async () => {
  const honest = Array.from({ length: 30_000 }, (_, n) => `v1.0.${n}`);
  const tags = honest.flatMap((name, n) => (n % 1_000 === 0 ? [name, `${basic}-${n}`] : [name]));
  const clean = withoutEcho(source({ recall: async () => snapshotOf(tags) }), async () => TOKEN);
  expect((await clean.recall(found.revision))?.tags).toEqual(honest);
});

test('a server of which every tag sends the token back costs a bounded number of looks', async () => {
  const tags = Array.from({ length: 30_000 }, (_, n) => `bld/${TOKEN}-${n}`);
  const clean = withoutEcho(source({ recall: async () => snapshotOf(tags) }), async () => TOKEN);
  const before = process.memoryUsage().rss;
  expect((await clean.recall(found.revision))?.tags).toEqual([]);
  expect(process.memoryUsage().rss - before).toBeLessThan(100 * 1024 * 1024);
});

function snapshotOf(tags: readonly string[]): Snapshot {
  return { revision: found.revision, fingerprint: found.fingerprint, commit: null, tags, files: new Map() };
}
