import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { recover, secretsIn, tell } from '../support/hostile-git/attempts.ts';
import { commitOf, forging } from '../support/hostile-git/forging.ts';
import { at, BRANCH, LIE_BLOB, refLines } from '../support/hostile-git/telling.ts';
import type { Lie } from '../support/hostile-git-server.ts';
import {
  createHostileWorld,
  type HostileWorld,
  type RunningAgent,
  SECRETS,
} from '../support/hostile-world.ts';
import { type LoopbackServer, startHttpServer } from '../support/http-server.ts';
import { makeCommit, makeObject, makeTree, pktLine } from '../support/pack-maker.ts';

// A guard against hanging, on a machine that does many other things.
vi.setConfig({ testTimeout: 300_000, hookTimeout: 120_000 });

/** Whole, well-made answers whose content is the lie; and answers that are after the credentials. */
let world: HostileWorld;
let agent: RunningAgent;
let elsewhere: LoopbackServer;
let previous: string;

beforeAll(async () => {
  world = await createHostileWorld();
  elsewhere = await startHttpServer();
  previous = await world.publish();
  agent = await world.start();
  await recover(agent);
});
afterAll(async () => {
  await agent?.stop();
  await elsewhere?.[Symbol.asyncDispose]();
  await world?.[Symbol.asyncDispose]();
});

const git = (...args: string[]) => world.repository.git(...args);
const textAt = (commit: string, file: string) => git('show', `${commit}:${file}`);
/** The branch itself is at this commit while the agent looks. */
async function withBranchAt(commit: string, end: Pick<Lie, 'exit' | 'code'>) {
  const tip = git('rev-parse', BRANCH);
  git('update-ref', BRANCH, commit);
  const answer = await tell(world, agent, { what: 'is at another commit', ...end }, { tip, previous });
  git('update-ref', BRANCH, tip);
  return answer;
}
/** A commit that no branch shows. */
function hidden(files: Record<string, string>, more: { message?: string; author?: string } = {}) {
  return world.repository.commit({ ref: 'refs/hidden/lie', files, ...more });
}
const filesAt = (commit: string) => ({
  'manifest.json': textAt(commit, 'manifest.json'),
  'release.jws.json': textAt(commit, 'release.jws.json'),
});
const reasons = async () => {
  const events = readFileSync(join(world.cache, '.agent', 'events.jsonl'), 'utf8')
    .trim()
    .split('\n');
  return events.map((line) => (JSON.parse(line) as { reason: string }).reason);
};

describe('a history that is true and not the one that counts', () => {
  test('forced back to an older release is refused, and said to be rewritten', async () => {
    const older = previous;
    previous = await world.publish();
    expect(await recover(agent)).toBe(previous);
    await withBranchAt(older, { exit: 3, code: 'seq_rollback' });
    expect(await reasons()).toContain('HistoryRewritten');
    expect(await recover(agent)).toBe(previous);
  });

  test('with the files of two commits is refused', async () => {
    const tip = await world.publish();
    const mixed = hidden({
      'manifest.json': `${textAt(tip, 'manifest.json')} `,
      'release.jws.json': textAt(tip, 'release.jws.json'),
    });
    await withBranchAt(mixed, { exit: 3, code: 'manifest_mismatch' });
    const older = { ...filesAt(previous), 'manifest.json': `${textAt(previous, 'manifest.json')}\n` };
    await withBranchAt(hidden(older), { exit: 3, code: 'manifest_mismatch' });
    expect(await recover(agent)).toBe(tip);
    previous = tip;
  });

  test('without its signature, or signed for another tenant, is refused', async () => {
    const stripped = hidden({ 'manifest.json': textAt(previous, 'manifest.json') });
    await withBranchAt(stripped, { exit: 3, code: 'release_missing' });
    const own = git('rev-parse', BRANCH);
    const foreign = await world.release(textAt(previous, 'manifest.json'), { tenant: 'other' });
    git('update-ref', BRANCH, own);
    await withBranchAt(foreign, { exit: 3, code: 'tenant_mismatch' });
    previous = await world.publish();
    expect(await recover(agent)).toBe(previous);
  });

  test('of another commit with the same files changes nothing but the revision', async () => {
    const before = world.neighbourhood().filter((line) => !line.includes('current.json'));
    const replaced = hidden(filesAt(previous), { message: 'The same again' });
    const answer = await withBranchAt(replaced, { exit: 0, code: null });
    expect(answer.report.actions).toEqual([]);
    expect(world.neighbourhood().filter((line) => !line.includes('current.json'))).toEqual(before);
    expect(await recover(agent)).toBe(previous);
  });

  test('that is another one at every request ends as not yet', async () => {
    const other = 'd'.repeat(40);
    const lie: Lie = {
      what: 'alternates between two histories',
      exit: 5,
      code: 'server_error',
      tell: at('branch', (exchange) => {
        const commit = exchange.nth % 2 === 0 ? other : exchange.commits.tip;
        exchange.answer({ body: refLines(`${commit} ${BRANCH}`) });
      }),
    };
    await tell(world, agent, lie, { tip: previous, previous });
    expect(await recover(agent)).toBe(previous);
  });

  test('with names in its tree that would leave a folder is read by path, and harms nobody', async () => {
    const blob = makeObject('blob', 'escaped');
    const lie: Lie = {
      what: 'puts names that leave the folder into the tree',
      exit: 0,
      code: null,
      tell: forging((parent) => {
        const [manifest, release] = ['manifest.json', 'release.jws.json'].map((name) =>
          makeObject('blob', textAt(previous, name)),
        ) as [typeof blob, typeof blob];
        const names = [
          '..',
          '.git',
          '../../../../escape',
          '/tmp/escape',
          'a\\..\\b',
          'CON',
          '.git/hooks/post-checkout',
        ];
        const tree = makeTree([
          ...names.map((name) => ['100755', name, blob.oid] as const),
          ['120000', 'link', blob.oid],
          ['160000', 'module', blob.oid],
          ['100644', 'manifest.json', manifest.oid],
          ['100644', 'release.jws.json', release.oid],
        ]);
        return commitOf(makeCommit(tree.oid, [parent]), tree, blob, manifest, release);
      }),
    };
    const before = world.neighbourhood().filter((line) => !line.includes('current.json'));
    await tell(world, agent, lie, { tip: previous, previous });
    expect(world.neighbourhood().filter((line) => !line.includes('current.json'))).toEqual(before);
    expect(await recover(agent)).toBe(previous);
  });

  test('whose commit has a message of 15 MiB stays within memory', async () => {
    const lie: Lie = {
      what: 'has a long story to tell',
      exit: 5,
      code: 'source_too_large',
      tell: forging((parent) => {
        const tree = makeTree([['100644', 'manifest.json', LIE_BLOB.oid]]);
        const { content } = makeCommit(tree.oid, [parent]);
        const words = Buffer.from('é\n\n'.repeat((15 * 1_048_576) / 4));
        return commitOf(makeObject('commit', Buffer.concat([content, words])), tree, LIE_BLOB);
      }),
    };
    await tell(world, agent, lie, { tip: previous, previous });
    expect(await recover(agent)).toBe(previous);
  });
});

describe('a server that is after the credentials', () => {
  const bait = () => `${elsewhere.origin}/builder.git/info/refs?service=git-upload-pack`;

  test.each([301, 302, 307, 308])(
    'does not get them by sending the agent elsewhere with %d',
    async (status) => {
      const lie: Lie = {
        what: 'redirects to another origin',
        exit: 5,
        code: 'redirect_refused',
        tell: at(['capabilities', 'branch', 'tags', 'pack'], (exchange) =>
          exchange.answer({ status, headers: { location: bait() } }),
        ),
      };
      await tell(world, agent, lie, { tip: previous, previous });
      expect(elsewhere.requests).toEqual([]);
      expect(elsewhere.connections()).toBe(0);
    },
  );

  test('does not get them into events, log, status or tags by saying them', async () => {
    const { gitToken } = SECRETS;
    const basic = Buffer.from(`x-access-token:${gitToken}`).toString('base64');
    const echoes: readonly Lie['tell'][] = [
      at('branch', (exchange) => exchange.answer({ body: pktLine(`ERR ${gitToken} ${basic}`) })),
      at('branch', (exchange) => exchange.answer({ headers: { 'content-type': `text/${gitToken}` } })),
      at('branch', (exchange) => exchange.answer({ body: refLines(`${gitToken} ${BRANCH}`) })),
      at('branch', (exchange) =>
        exchange.answer({ status: 307, headers: { location: `http://${gitToken}.example/` } }),
      ),
      at('branch', (exchange) =>
        exchange.answer({ headers: { 'content-encoding': String(exchange.headers.authorization) } }),
      ),
    ];
    for (const echo of echoes) {
      world.server.lie({
        what: 'says the token',
        exit: 5,
        code: null,
        tell: echo as NonNullable<Lie['tell']>,
      });
      const { answer } = await agent.attempt();
      expect(answer.exit_code).toBe(5);
      expect(JSON.stringify(answer)).toContain('[redacted]');
      expect(JSON.stringify(answer)).not.toContain(gitToken);
    }
    world.server.lie(null);

    const commit = hidden(filesAt(previous), {
      message: `Take \u001b[2J${gitToken}`,
      author: `${basic} <a@b.example>`,
    });
    world.repository.tag(`bld/${gitToken}`, commit);
    const answer = await withBranchAt(commit, { exit: 0, code: null });
    world.repository.git('tag', '-d', `bld/${gitToken}`);
    expect(answer.report.source.commit?.subject).toBe('Take [2J[redacted]');
    expect(await recover(agent)).toBe(previous);
    expect(secretsIn(world, agent.daemon.output())).toEqual([]);
  });
});

test('nothing that the agent wrote holds a secret', () => {
  expect(secretsIn(world, agent.daemon.output())).toEqual([]);
});
