import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { mustBeFound } from '../../contract/desired-source.ts';
import { startGitServer } from '../../support/git-server.ts';
import { makeGitSource } from '../../support/git-source.ts';

const BRANCH = 'refs/heads/tenant/acme';
const { signal } = new AbortController();
let state: string;
beforeEach(() => {
  state = mkdtempSync(join(tmpdir(), 'cache-bounds-'));
});
afterEach(() => rmSync(state, { recursive: true, force: true }));

const packs = () =>
  readdirSync(join(state, 'git', 'objects', 'pack')).filter((name) => name.endsWith('.pack')).length;

test.each([{ repositoryPacks: 1 }, { repositoryBytes: 600 }])(
  'a new commit for every look does not fill the disk: the cache is begun anew ($repositoryPacks packs, $repositoryBytes bytes)',
  async (budgets) => {
    await using server = await startGitServer();
    const repository = server.createRepository('acme');
    using source = makeGitSource({ url: server.url('acme'), stateDirectory: state, budgets });
    for (let look = 0; look < 3; look += 1) {
      const text = `{"look":${look}}`;
      repository.commit({ ref: BRANCH, files: { 'manifest.json': text } });
      const answer = await source.read(mustBeFound(await source.observe(signal)), signal);
      expect(answer).toMatchObject({ kind: 'read' });
      expect(packs()).toBeLessThanOrEqual(2);
    }
    expect(source.warnings.join('\n')).toContain('begun anew');
  },
);

test('a tag whose name is the token is not kept', async () => {
  const credentials = 'user:token-of-the-forge';
  await using server = await startGitServer({ credentials });
  const repository = server.createRepository('acme');
  const commit = repository.commit({ ref: BRANCH, files: { 'manifest.json': '1' } });
  repository.tag('bld/token-of-the-forge', commit);
  repository.tag('v1.0.1', commit);
  using source = makeGitSource({ url: server.url('acme'), stateDirectory: state, credentials });
  const answer = await source.read(mustBeFound(await source.observe(signal)), signal);
  expect(answer).toMatchObject({ kind: 'read', snapshot: { tags: ['v1.0.1'] } });
  expect(readFileSync(join(state, 'git', 'packed-refs'), 'utf8')).not.toContain('token-of-the-forge');
});
