import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deflateSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { listing, mustBeFound } from '../../contract/desired-source.ts';
import { type GitRequest, startGitServer } from '../../support/git-server.ts';
import { makeGitSource, spawnFetcher } from '../../support/git-source.ts';
import {
  entryOf,
  fetchAnswer,
  type MadeObject,
  makeCommit,
  makeObject,
  makePack,
  makeTree,
  packEntry,
  pktLine,
} from '../../support/pack-maker.ts';

const folders: string[] = [];
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});
const BRANCH = 'refs/heads/tenant/acme';
const signal = new AbortController().signal;
const MIB = 1_048_576;
const RESULT = { 'content-type': 'application/x-git-upload-pack-result' };

interface Lie {
  /** What the listing of the branch said. */
  readonly tip: string;
  /** The answer to `fetch`. */
  answer(response: ServerResponse): void;
  /** Lines of the tag listing. */
  readonly tags?: readonly string[];
}

/** A server and a source that has read an honest commit. Every lie is told to it, one after the other. */
let world: Awaited<ReturnType<typeof makeWorld>>;
beforeAll(async () => {
  world = await makeWorld();
});
afterAll(async () => {
  world.source[Symbol.dispose]();
  await world.server[Symbol.asyncDispose]();
});

async function makeWorld() {
  const server = await startGitServer();
  const repository = server.createRepository('acme');
  const honest = repository.commit({ ref: BRANCH, files: { 'manifest.json': '{"n":1}' } });
  const state = mkdtempSync(join(tmpdir(), 'hostile-'));
  folders.push(state);
  const memory = { peak: 0 };
  const options = {
    url: server.url('acme'),
    stateDirectory: state,
    timeoutMs: 10_000,
    spawn: (...request: Parameters<typeof spawnFetcher>) => watched(spawnFetcher(...request), memory),
  };
  const source = makeGitSource(options);
  expect(await source.read(mustBeFound(await source.observe(signal)), signal)).toMatchObject({
    kind: 'read',
  });
  return { server, repository, honest, state, memory, options, source };
}

function watched(child: ReturnType<typeof spawnFetcher>, memory: { peak: number }) {
  const watch = setInterval(() => {
    try {
      const status = readFileSync(`/proc/${child.pid}/status`, 'latin1');
      memory.peak = Math.max(memory.peak, Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0) * 1_024);
    } catch {
      // It has ended.
    }
  }, 5);
  child.once('close', () => clearInterval(watch));
  return child;
}

/** What the source says to a lie. Nothing of it is kept, and the child's memory stays under its cap. */
async function lie(make: (honest: string) => Lie, options: { timeoutMs?: number } = {}) {
  const { server, honest, state, memory } = world;
  using source = makeGitSource({ ...world.options, ...options });
  const told = make(honest);
  const before = listing(state);
  memory.peak = 0;
  server.intercept = (request, response) => answerWithLie(request, response, told);
  const result = await source.read({ revision: `tenant/acme@sha1:${told.tip}`, fingerprint: '' }, signal);
  server.intercept = null;
  expect(listing(state)).toEqual(before);
  expect(memory.peak).toBeLessThan(256 * MIB);
  return result;
}

function answerWithLie(request: GitRequest, response: ServerResponse, told: Lie): boolean {
  const question = request.body.toString();
  if (question.includes('ref-prefix refs/tags/')) {
    const lines = (told.tags ?? []).map((line) => pktLine(`${line}\n`));
    response.writeHead(200, RESULT).end(Buffer.concat([...lines, Buffer.from('0000')]));
    return true;
  }
  if (!question.includes('command=fetch')) return false;
  response.writeHead(200, RESULT);
  // What is kept leads to the lie, if one believes the server.
  if (question.includes('have ')) response.write(acknowledged(question));
  told.answer(response);
  return true;
}

function acknowledged(question: string): Buffer {
  const have = /have ([0-9a-f]{40})/.exec(question)?.[1];
  const lines = [pktLine('acknowledgments\n'), pktLine(`ACK ${have}\n`), pktLine('ready\n')];
  return Buffer.concat([...lines, Buffer.from('0001')]);
}

const sending =
  (pack: Buffer, shallow: readonly string[] = []) =>
  (response: ServerResponse) =>
    void response.end(fetchAnswer(pack, shallow));

function files(entries: readonly (readonly [string, string, MadeObject])[], parents: readonly string[]) {
  const tree = makeTree(entries.map(([mode, name, object]) => [mode, name, object.oid] as const));
  const commit = makeCommit(tree.oid, parents);
  return { commit, tree, objects: [commit, tree, ...entries.map(([, , object]) => object)] };
}

const blob = makeObject('blob', '{"n":"lie"}');
const MALFORMED = { kind: 'retry', code: 'source_malformed' };
const TOO_LARGE = { kind: 'retry', code: 'source_too_large' };

describe('a pack that lies is refused whole', () => {
  const whole = (honest: string) => files([['100644', 'manifest.json', blob]], [honest]);

  test('when it is cut off', async () => {
    const result = await lie((honest) => {
      const { commit, objects } = whole(honest);
      const answer = fetchAnswer(makePack(objects.map(entryOf)));
      return { tip: commit.oid, answer: (response) => void response.end(answer.subarray(0, -60)) };
    });
    expect(result).toMatchObject(MALFORMED);
  });

  test('when the pack itself is cut off and framed as if it were whole', async () => {
    const result = await lie((honest) => {
      const { commit, objects } = whole(honest);
      return { tip: commit.oid, answer: sending(makePack(objects.map(entryOf)).subarray(0, -30)) };
    });
    expect(result).toMatchObject({ ...MALFORMED, message: expect.stringContaining('checksum') });
  });

  test('when more bytes follow its last object', async () => {
    const result = await lie((honest) => {
      const { commit, objects } = whole(honest);
      const entries = [...objects.map(entryOf), Buffer.from('and more')];
      return { tip: commit.oid, answer: sending(makePack(entries, objects.length)) };
    });
    expect(result).toMatchObject({ ...MALFORMED, message: expect.stringContaining('more bytes') });
  });

  test('when the advertised commit is not in it', async () => {
    const result = await lie((honest) => {
      const { objects } = whole(honest);
      return { tip: 'f'.repeat(40), answer: sending(makePack(objects.map(entryOf))) };
    });
    expect(result).toMatchObject({ ...MALFORMED, message: expect.stringContaining('f'.repeat(40)) });
  });

  test('when the advertised commit is something else', async () => {
    const result = await lie(() => ({ tip: blob.oid, answer: sending(makePack([entryOf(blob)])) }));
    expect(result).toMatchObject(MALFORMED);
  });

  test.each(['tree', 'blob'] as const)('when a %s is missing', async (kind) => {
    const result = await lie((honest) => {
      const { commit, objects } = whole(honest);
      const rest = objects.filter((object) => object.kind !== kind);
      return { tip: commit.oid, answer: sending(makePack(rest.map(entryOf))) };
    });
    expect(result).toMatchObject({ ...MALFORMED, message: expect.stringContaining('missing') });
  });

  test('when a parent is missing and the border was not announced', async () => {
    const result = await lie(() => {
      const { commit, objects } = whole('e'.repeat(40));
      return { tip: commit.oid, answer: sending(makePack(objects.map(entryOf))) };
    });
    expect(result).toMatchObject({ ...MALFORMED, message: expect.stringContaining('parents') });
  });

  test('when a delta leads nowhere', async () => {
    const result = await lie((honest) => {
      const { commit, objects } = whole(honest);
      const delta = packEntry(7, 4, deflateSync(Buffer.from([1, 1, 1, 65])), Buffer.alloc(20, 7));
      return { tip: commit.oid, answer: sending(makePack([...objects.map(entryOf), delta])) };
    });
    expect(result).toMatchObject({ ...MALFORMED, message: expect.stringContaining('base') });
  });

  test.each([
    ['120000', 'manifest.json', 'symbolic link'],
    ['40000', 'release.jws.json', 'folder'],
    ['160000', 'agent-policy.yaml', 'submodule'],
    ['120000', 'roots', 'symbolic link'],
  ])('when mode %s stands at %s', async (mode, name, found) => {
    const result = await lie((honest) => {
      const target = mode === '40000' ? makeTree([]) : makeObject('blob', '/etc/passwd');
      const { commit, objects } = files([[mode, name, target]], [honest]);
      return { tip: commit.oid, answer: sending(makePack(objects.map(entryOf))) };
    });
    expect(result).toMatchObject({ ...MALFORMED, message: expect.stringContaining(found) });
  });

  test('when a name is there twice', async () => {
    const other = makeObject('blob', 'other');
    const result = await lie((honest) => {
      const pair = [['100644', 'manifest.json', blob] as const, ['100644', 'manifest.json', other] as const];
      const { commit, objects } = files(pair, [honest]);
      return { tip: commit.oid, answer: sending(makePack(objects.map(entryOf))) };
    });
    expect(result).toMatchObject({ ...MALFORMED, message: expect.stringContaining('twice') });
  });

  test('when a document is over its cap', async () => {
    const large = makeObject('blob', Buffer.alloc(256 * 1_024 + 1, 'a'));
    const result = await lie((honest) => {
      const { commit, objects } = files([['100644', 'agent-policy.yaml', large]], [honest]);
      return { tip: commit.oid, answer: sending(makePack(objects.map(entryOf))) };
    });
    expect(result).toMatchObject({ ...TOO_LARGE, message: expect.stringContaining('agent-policy.yaml') });
  });
});

describe('what costs too much ends within the budgets', () => {
  test('zlib bombs: many objects of 15 MiB in a pack of a few hundred KiB', async () => {
    const result = await lie((honest) => {
      const { commit, objects } = files([['100644', 'manifest.json', blob]], [honest]);
      const bombs = Array.from({ length: 18 }, (_, n) => {
        const content = Buffer.alloc(15 * MIB);
        content.writeUInt32BE(n);
        return packEntry(3, content.length, deflateSync(content));
      });
      return { tip: commit.oid, answer: sending(makePack([...objects.map(entryOf), ...bombs])) };
    });
    expect(result).toMatchObject({ ...TOO_LARGE, message: expect.stringContaining('inflates') });
  });

  test('an object that inflates to more than it claims', async () => {
    const result = await lie((honest) => {
      const { commit, objects } = files([['100644', 'manifest.json', blob]], [honest]);
      const bomb = packEntry(3, 10, deflateSync(Buffer.alloc(200 * MIB), { level: 1 }));
      return { tip: commit.oid, answer: sending(makePack([...objects.map(entryOf), bomb])) };
    });
    expect(result).toMatchObject({ ...MALFORMED, message: expect.stringContaining('claims') });
  });

  test('deltas that copy their base again and again', async () => {
    const result = await lie((honest) => {
      const { commit, objects } = files([['100644', 'manifest.json', blob]], [honest]);
      const base = makeObject('blob', Buffer.alloc(64 * 1_024, 'b'));
      const copy = Buffer.from([0x80]);
      const deltas = Array.from({ length: 20 }, (_, n) => {
        const repeats = 250 - n;
        const size = repeats * 65_536;
        const head = [...varint(base.content.length), ...varint(size)];
        const delta = Buffer.concat([Buffer.from(head), ...Array.from({ length: repeats }, () => copy)]);
        return packEntry(7, delta.length, deflateSync(delta), Buffer.from(base.oid, 'hex'));
      });
      return { tip: commit.oid, answer: sending(makePack([...objects, base].map(entryOf).concat(deltas))) };
    });
    expect(result).toMatchObject(TOO_LARGE);
  });

  test('a pack without end', async () => {
    const result = await lie((honest) => {
      const { commit } = files([['100644', 'manifest.json', blob]], [honest]);
      return {
        tip: commit.oid,
        answer(response) {
          response.write(pktLine('packfile\n'));
          const piece = pktLine(Buffer.concat([Buffer.from([1]), Buffer.alloc(65_000, 'PACK')]));
          const send = () => {
            while (!response.destroyed && response.write(piece));
            if (!response.destroyed) response.once('drain', send);
          };
          send();
        },
      };
    });
    expect(result).toMatchObject(TOO_LARGE);
  });

  test('a pack that never comes', async () => {
    const result = await lie(
      (honest) => ({
        tip: files([['100644', 'manifest.json', blob]], [honest]).commit.oid,
        answer: (response) => void response.write(pktLine('packfile\n')),
      }),
      { timeoutMs: 2_500 },
    );
    expect(result).toMatchObject({ kind: 'retry', code: 'timeout' });
  });

  test('thousands of refs of a server without protocol 2', async () => {
    await using server = await startGitServer({ protocol: 0 });
    const repository = server.createRepository('acme');
    const commit = repository.commit({ ref: BRANCH, files: { 'manifest.json': '1' } });
    const lines = Array.from({ length: 20_000 }, (_, n) => `${commit} refs/tags/bld/${n}\n`);
    writeFileSync(join(repository.path, 'packed-refs'), lines.join(''));
    using source = makeGitSource({ url: server.url('acme'), stateDirectory: tmpdir() });
    expect(await source.observe(signal)).toMatchObject({
      ...TOO_LARGE,
      message: expect.stringMatching(/1048576 bytes.*protocol 2/),
    });
  });
});

describe('names that a server makes up', () => {
  test('do not leave the tags, and honest ones beside them are kept', async () => {
    const result = await lie((honest) => {
      const { commit, objects } = files([['100644', 'manifest.json', blob]], [honest]);
      const names = ['../../../../escape', 'a/../../../b', '.hidden', 'x.lock', 'a\u0001b', 'a//b'];
      return {
        // An object that is not there, so that the whole is refused and nothing is kept.
        tip: commit.oid,
        tags: names.map((name) => `${commit.oid} refs/tags/${name}`),
        answer: sending(makePack(objects.filter(({ kind }) => kind !== 'blob').map(entryOf))),
      };
    });
    expect(result).toMatchObject(MALFORMED);

    await using server = await startGitServer();
    const repository = server.createRepository('acme');
    const tip = repository.commit({ ref: BRANCH, files: { 'manifest.json': '1' } });
    const state = mkdtempSync(join(tmpdir(), 'hostile-'));
    folders.push(state);
    using source = makeGitSource({ url: server.url('acme'), stateDirectory: state });
    server.intercept = (request, response) => {
      if (!request.body.includes('ref-prefix refs/tags/')) return false;
      const names = ['../../../../escape', 'a/../b', '.hidden', 'x.lock', 'a\u0001b', 'v1.0.1'];
      const lines = names.map((name) => pktLine(`${tip} refs/tags/${name}\n`));
      response.writeHead(200, RESULT).end(Buffer.concat([...lines, Buffer.from('0000')]));
      return true;
    };
    const read = await source.read(mustBeFound(await source.observe(signal)), signal);
    expect(read).toMatchObject({ kind: 'read', snapshot: { tags: ['v1.0.1'] } });
    expect(source.warnings.join()).toContain('5 other tags');
    expect(readFileSync(join(state, 'git', 'packed-refs'), 'utf8')).not.toContain('..');
  });

  test.each([
    ['the same branch twice', `${'a'.repeat(40)} ${BRANCH}\n`, 2],
    ['no object id', `main ${BRANCH}\n`, 1],
    ['the id of nothing', `${'0'.repeat(40)} ${BRANCH}\n`, 1],
  ])('are refused when they are %s', async (_what, line, times) => {
    await using server = await startGitServer();
    server.createRepository('acme').commit({ ref: BRANCH, files: { 'manifest.json': '1' } });
    using source = makeGitSource({ url: server.url('acme'), stateDirectory: tmpdir() });
    server.intercept = (request, response) => {
      if (!request.body.includes('ls-refs')) return false;
      const lines = Array.from({ length: times }, () => pktLine(line));
      response.writeHead(200, RESULT).end(Buffer.concat([...lines, Buffer.from('0000')]));
      return true;
    };
    expect(await source.observe(signal)).toMatchObject(MALFORMED);
  });

  test('and pages that are no git at all are named as such', async () => {
    await using server = await startGitServer();
    using source = makeGitSource({ url: server.url('acme'), stateDirectory: tmpdir() });
    server.intercept = (_request, response) => {
      response.writeHead(200, { 'content-type': 'text/html' }).end('<html>Sign in</html>');
      return true;
    };
    expect(await source.observe(signal)).toMatchObject({
      ...MALFORMED,
      message: expect.stringContaining('text/html'),
    });
  });
});

test('after all these lies the next honest answer is taken', async () => {
  world.repository.commit({ ref: BRANCH, files: { 'manifest.json': '{"n":2}' } });
  const found = mustBeFound(await world.source.observe(signal));
  expect(await world.source.read(found, signal)).toMatchObject({ kind: 'read', rewritten: false });
  const kept = join(world.state, 'git');
  expect(execFileSync('git', ['-C', kept, 'fsck', '--full'], { encoding: 'utf8', stdio: 'pipe' })).toBe('');
  expect(execFileSync('git', ['-C', kept, 'rev-list', '--count', '--all'], { encoding: 'utf8' })).toBe('2\n');
});

test('the checksum of the packs made here is git’s', () => {
  const pack = makePack([entryOf(blob)]);
  expect(createHash('sha1').update(pack.subarray(0, -20)).digest()).toEqual(pack.subarray(-20));
});

function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128);
  return [...bytes, rest];
}
