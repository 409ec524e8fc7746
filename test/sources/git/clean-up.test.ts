import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { cleanUpRepository } from '../../../sources/git/clean-up.ts';
import { listing } from '../../contract/desired-source.ts';
import { createRepository, type TestRepository } from '../../support/git-server.ts';

const BRANCH = 'refs/heads/tenant/acme';
const DAY_MS = 86_400_000;
// The script asks the machine for the day, so this is the machine's day too.
const now = new Date();
const seconds = (daysAgo: number) => Math.floor(now.getTime() / 1_000) - daysAgo * 86_400;

/** The seed's clean-up, word for word but for its last command, which is compared elsewhere. */
const SCRIPT = `
git -C "$CACHE" tag --merged tenant/acme |
  grep '^bld/' |
  while read t; do
    TAG_DATE=$(git log -1 --format=%as $t)
    [ "$TAG_DATE" \\< "$(date -d '30 days ago' +%Y-%m-%d)" ] && git tag -d $t
  done
exit 0`;

let folder: string;
let repository: TestRepository;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'clean-up-'));
  repository = createRepository(join(folder, 'git'));
});
afterEach(() => {
  process.env['TZ'] = 'UTC';
  rmSync(folder, { recursive: true, force: true });
});

const clean = (options: { dryRun?: boolean; at?: Date; keepDays?: number } = {}) =>
  cleanUpRepository(repository.path, {
    slug: 'acme',
    now: options.at ?? now,
    keepDays: options.keepDays ?? 30,
    dryRun: options.dryRun ?? false,
    maxObjectBytes: 16 * 1_048_576,
  });
const refs = (path: string) =>
  execFileSync('git', ['-C', path, 'for-each-ref', '--format=%(refname) %(objectname)'], {
    encoding: 'utf8',
  });
const fsck = () =>
  execFileSync('git', ['-C', repository.path, 'fsck', '--full'], { encoding: 'utf8', stdio: 'pipe' });
const isMade = (name: string) => /\.(?:pack|idx)$/.test(name);
/** Everything in the repository looks as if written so long ago. */
function age(days: number): void {
  const then = new Date(now.getTime() - days * DAY_MS);
  for (const name of readdirSync(join(repository.path, 'objects'), { recursive: true, encoding: 'utf8' })) {
    utimesSync(join(repository.path, 'objects', name), then, then);
  }
}

/** What the script leaves on a copy, and what we leave. */
async function bothLeave(zone: string): Promise<{ script: string; ours: string; deleted: string[] }> {
  const copy = join(folder, 'copy');
  rmSync(copy, { recursive: true, force: true });
  cpSync(repository.path, copy, { recursive: true });
  execFileSync('bash', ['-c', SCRIPT], {
    cwd: copy,
    env: { ...process.env, CACHE: copy, TZ: zone },
    stdio: 'ignore',
  });
  process.env['TZ'] = zone;
  const { tags } = await clean({ at: new Date() });
  return { script: refs(copy), ours: refs(repository.path), deleted: tags.sort() };
}

const commit = (daysAgo: number, zone = '+0000', ref = BRANCH, parents?: string[] | null) =>
  repository.commit({
    ref,
    files: { 'manifest.json': `${daysAgo}${zone}${ref}` },
    authored: `${seconds(daysAgo)} ${zone}`,
    ...(parents === undefined ? {} : { parents }),
  });

describe('the tags', () => {
  // The border lies within these days in every zone, whatever the hour at which this runs.
  const days = [120, 45, 32, 31.5, 31, 30.75, 30.5, 30.25, 30, 29.75, 29.5, 29.25, 29, 28, 5, 0];

  test.each(['UTC', 'Pacific/Kiritimati', 'Pacific/Pago_Pago'])(
    'that are left are exactly those that the script leaves in %s',
    async (zone) => {
      for (const [position, day] of days.entries()) {
        const zones = ['+0000', '+1400', '-1200', '+0545', '-0330'];
        const oid = commit(day, zones[position % zones.length]);
        repository.tag(`bld/${position}`, oid, position % 3 === 0 ? 'annotated now' : undefined);
        repository.tag(`v1.0.${position}`, oid);
        if (position === 6) repository.git('pack-refs', '--all');
      }
      const unmerged = commit(90, '+0000', 'refs/heads/side', null);
      repository.tag('bld/unmerged', unmerged);
      const first = repository.git('rev-list', '--max-parents=0', 'tenant/acme');
      repository.tag('build/1', first);
      repository.tag('xbld/1', first);
      repository.tag('bld/deep/er', first);
      repository.git('tag', '-a', '-m', 'tag of a tag', 'bld/nested', 'bld/0');
      repository.tag('bld/tree', repository.git('rev-parse', `${first}^{tree}`));
      const { script, ours, deleted } = await bothLeave(zone);
      expect(ours).toBe(script);
      expect(deleted).toEqual(
        expect.arrayContaining(['bld/0', 'bld/1', 'bld/2', 'bld/deep/er', 'bld/nested']),
      );
      expect(ours).toMatch(/bld\/unmerged[^]*bld\/15|bld\/15[^]*bld\/unmerged/);
      expect(fsck()).not.toMatch(/missing|broken|error/);
    },
  );

  test('are judged by the author’s day even when it makes no sense', async () => {
    const raw = (author: string) => {
      const tree = repository.git('mktree', '--missing');
      const parent = commit(1);
      const text = `tree ${tree}\nparent ${parent}\nauthor ${author}\ncommitter C <c@d> ${seconds(0)} +0000\n\nx\n`;
      const file = join(folder, 'commit');
      writeFileSync(file, text);
      const oid = repository.git('hash-object', '-t', 'commit', '-w', '--literally', file);
      repository.git('update-ref', BRANCH, oid);
      return oid;
    };
    const authors = [
      'A <a@b>',
      'A <a@b> 0 +0000',
      'A <a@b> 99999999999999 +0000',
      'A <a@b> 99999999999999999 +0000',
      'A <a@b> 0 -1200',
      `A <a@b> ${seconds(30)} +9999`,
      `A <a@b> ${seconds(30)}`,
      `A > B <a@b> ${seconds(3)} -0000`,
      `A <a@b> ${seconds(30)} +0060`,
    ];
    for (const [position, author] of authors.entries()) repository.tag(`bld/${position}`, raw(author));
    const { script, ours } = await bothLeave('UTC');
    expect(ours).toBe(script);
  });

  test('are those of a tag when a tag has the branch’s name, as git reads it', async () => {
    const old = commit(60);
    repository.tag('bld/old', old);
    const other = commit(70, '+0000', 'refs/heads/side', null);
    repository.tag('bld/other', other);
    repository.tag('tenant/acme', other);
    const { script, ours, deleted } = await bothLeave('UTC');
    expect(ours).toBe(script);
    expect(deleted).toEqual(['bld/other']);
  });

  test('behind the border of a shallow history are left, as the script leaves them', async () => {
    const old = commit(60);
    repository.tag('bld/behind', old);
    const border = commit(50);
    repository.tag('bld/border', border);
    commit(1);
    writeFileSync(join(repository.path, 'shallow'), `${border}\n`);
    const { script, ours, deleted } = await bothLeave('UTC');
    expect(ours).toBe(script);
    expect(deleted).toEqual(['bld/border']);
  });
});

describe('the objects', () => {
  test('that nothing reaches go when they are old, and stay while they are young', async () => {
    commit(1);
    const lost = commit(1, '+0000', 'refs/heads/lost', null);
    repository.git('repack', '-adq');
    repository.git('update-ref', '-d', 'refs/heads/lost');
    age(10);
    expect(await clean()).toEqual({ tags: [], objects: 0, bytes: 0 });
    expect(repository.git('cat-file', '-t', lost)).toBe('commit');
    age(40);
    const dry = await clean({ dryRun: true });
    expect(dry).toMatchObject({ objects: 3, bytes: expect.any(Number) });
    expect(repository.git('cat-file', '-t', lost)).toBe('commit');
    expect(await clean()).toEqual(dry);
    expect(() => repository.git('cat-file', '-t', lost)).toThrow('Command failed');
    expect(fsck()).toBe('');
    expect(await clean()).toEqual({ tags: [], objects: 0, bytes: 0 });
  });

  test('that lie loose go too', async () => {
    commit(1);
    const blob = join(folder, 'blob');
    writeFileSync(blob, 'nobody wants this');
    const oid = repository.git('hash-object', '-w', blob);
    age(40);
    expect(await clean()).toMatchObject({ objects: 1 });
    expect(() => repository.git('cat-file', '-t', oid)).toThrow('Command failed');
    expect(fsck()).toBe('');
  });

  test('of the branch older than keep_days go, its tip and tagged commits stay', async () => {
    const commits = [200, 150, 100, 40, 20, 10].map((day) => commit(day));
    repository.tag('v1.0.0', commits[1] as string, 'kept');
    repository.tag('bld/1', commits[0] as string);
    repository.git('repack', '-adq');
    age(40);
    const { tags, objects } = await clean();
    expect(tags).toEqual(['bld/1']);
    expect(objects).toBeGreaterThanOrEqual(9);
    expect(repository.git('log', '--format=%H', 'tenant/acme').split('\n')).toEqual(
      commits.slice(4).reverse(),
    );
    expect(repository.git('log', '--format=%H', 'v1.0.0')).toBe(commits[1]);
    expect(fsck()).toBe('');
    expect(await clean()).toEqual({ tags: [], objects: 0, bytes: 0 });
    age(80);
    await clean({ at: new Date(now.getTime() + 60 * DAY_MS) });
    expect(repository.git('log', '--format=%H', 'tenant/acme')).toBe(commits[5]);
    expect(fsck()).toBe('');
  });

  test('of many packs come into one, deltas and all', async () => {
    const lines = Array.from({ length: 400 }, (_, n) => `line ${n} of a manifest that changes little\n`);
    for (let n = 0; n < 20; n += 1) {
      lines[n * 7] = `changed ${n}\n`;
      repository.commit({ ref: BRANCH, files: { 'manifest.json': lines.join('') } });
      repository.git('repack', '-dq');
    }
    const lost = repository.commit({ ref: 'refs/heads/lost', files: { 'manifest.json': lines.join('x') } });
    repository.git('repack', '-adq', '--depth=50', '--window=50');
    repository.git('update-ref', '-d', 'refs/heads/lost');
    for (let n = 0; n < 17; n += 1) {
      lines[n * 9] = `changed again ${n}\n`;
      repository.commit({ ref: BRANCH, files: { 'manifest.json': lines.join('') } });
      repository.git('repack', '-dq');
    }
    repository.git('multi-pack-index', 'write');
    repository.git('commit-graph', 'write', '--reachable');
    const before = repository.git('rev-list', '--all', '--objects');
    age(40);
    expect(await clean()).toMatchObject({ objects: 3 });
    const packs = readdirSync(join(repository.path, 'objects', 'pack'));
    expect(packs.filter(isMade)).toHaveLength(2);
    expect(() => repository.git('cat-file', '-t', lost)).toThrow('Command failed');
    expect(repository.git('rev-list', '--all', '--objects')).toBe(before);
    expect(fsck()).toBe('');
    expect(
      repository.git(
        'verify-pack',
        join('objects', 'pack', packs.find((name) => name.endsWith('.idx')) ?? ''),
      ),
    ).toBe('');
  });

  test('and tags are only counted in a dry run', async () => {
    repository.tag('bld/1', commit(60));
    commit(1);
    age(40);
    const before = listing(repository.path);
    expect(await clean({ dryRun: true })).toMatchObject({ tags: ['bld/1'] });
    expect(listing(repository.path)).toEqual(before);
  });
});
