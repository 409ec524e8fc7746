import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createPushedReleases } from '../../console/fleet/pushed-releases.ts';
import { createGitRepositories } from '../../console/git-repositories.ts';
import { git } from './running-console.ts';

const NEVER = new AbortController().signal;

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'pushed-releases-'));
});
afterEach(async () => rm(root, { recursive: true, force: true }));

/** A commit of nothing at the tip of the tenant's branch, with that time and subject. */
async function commit(slug: string, seconds: string, subject: string): Promise<string> {
  const repository = join(root, `${slug}.git`);
  const tree = (await git(repository, 'hash-object', '-t', 'tree', '-w', '/dev/null')).trim();
  const who = `a <a@example.com> ${seconds} +0000`;
  const file = join(root, `${slug}.commit`);
  await writeFile(file, `tree ${tree}\nauthor ${who}\ncommitter ${who}\n\n${subject}\n`);
  const oid = (await git(repository, 'hash-object', '-t', 'commit', '-w', file)).trim();
  await git(repository, 'update-ref', `refs/heads/tenant/${slug}`, oid);
  return oid;
}

it('a commit of a time that is no date is said to be of the first one, as agents say it', async () => {
  const repositories = createGitRepositories(root);
  await repositories.create('acme', NEVER);
  const oid = await commit('acme', '99999999999999', 'Far away');
  expect((await repositories.commit('acme', oid, NEVER))?.info).toEqual({
    subject: 'Far away',
    author: 'a',
    time: '1970-01-01T00:00:00Z',
  });
});

it('a branch that cannot be read keeps no other tenant’s release from being known', async () => {
  const repositories = createGitRepositories(root);
  const noted: string[] = [];
  const pushed = createPushedReleases({
    repositories,
    releases: {
      get: async () => null,
      pushed: async ({ tenant }: { tenant: string }) => {
        noted.push(tenant);
        return true;
      },
    } as never,
    now: () => new Date(),
  });
  for (const slug of ['acme', 'globex']) await repositories.create(slug, NEVER);
  await commit('acme', '1763700000', 'long'.repeat(50_000));
  await commit('globex', '1763700000', 'short');
  await expect(pushed.noteTips(['acme', 'globex'], NEVER)).rejects.toThrow('acme');
  expect(noted).toEqual(['globex']);
});
