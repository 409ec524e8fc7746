import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createUnpacker, type SpawnChild, type Unpacker } from '../../../store/archive/unpacker.ts';
import { type Bundle, bundleOf } from '../../support/bundles.ts';
import { spawnUnpacker } from '../../support/spawn-unpacker.ts';

const never = new AbortController().signal;
let folder: string;
let children: ChildProcess[];
let unpacker: Unpacker;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'unpacker-'));
  mkdirSync(join(folder, 'in'));
  mkdirSync(join(folder, 'out'));
  children = [];
});
afterEach(async () => {
  await unpacker.close();
  rmSync(folder, { recursive: true, force: true });
});

function create(spawnChild: SpawnChild = spawnUnpacker, idleMs?: number): Unpacker {
  unpacker = createUnpacker({
    spawnChild: (verb, rights) => {
      const child = spawnChild(verb, rights);
      children.push(child);
      return child;
    },
    read: [join(folder, 'in')],
    write: [join(folder, 'out')],
    idleMs,
  });
  return unpacker;
}
function ask(
  bundle: Bundle,
  name: string,
  options: { signal?: AbortSignal; deadlineMs?: number; into?: string; path?: string } = {},
) {
  const path = options.path ?? join(folder, 'in', name);
  if (options.path === undefined) writeFileSync(path, bundle.bytes);
  const into = options.into ?? join(folder, 'out', name);
  const request = { bundle: path, sha256: bundle.sha256, into, maxBytes: 1_000_000, maxFiles: 1_000 };
  const { signal = never, deadlineMs = 30_000 } = options;
  return unpacker.unpack(request, async () => undefined, { signal, deadlineMs });
}
/** A child that takes requests and never answers. */
const silent: SpawnChild = () =>
  spawn(process.execPath, ['-e', 'process.stdin.resume()'], { stdio: ['pipe', 'pipe', 'inherit'] });

describe('createUnpacker', () => {
  it('has its child ready when it was told that a bundle will come, once', async () => {
    create();
    unpacker.warm();
    unpacker.warm();
    expect(children).toHaveLength(1);
    expect((await ask(bundleOf({ 'main.py': 'x' }), 'a')).kind).toBe('unpacked');
    expect(children).toHaveLength(1);
  });

  it('ends a child that was made ready for nothing', async () => {
    create(spawnUnpacker, 20);
    unpacker.warm();
    await once(children[0] as ChildProcess, 'close');
    expect((await ask(bundleOf({ 'main.py': 'x' }), 'a')).kind).toBe('unpacked');
    expect(children).toHaveLength(2);
  });

  it('unpacks many bundles with one child, in order, and tells what was made', async () => {
    create();
    const made: string[] = [];
    const bundle = bundleOf({ 'main.py': 'x', 'lib/a.py': 'y' });
    writeFileSync(join(folder, 'in', 'b'), bundle.bytes);
    const answers = await Promise.all(
      ['one', 'two', 'three'].map((name) =>
        unpacker.unpack(
          {
            bundle: join(folder, 'in', 'b'),
            sha256: bundle.sha256,
            into: join(folder, 'out', name),
            maxBytes: 99,
            maxFiles: 9,
          },
          async ({ files, directories }) => void made.push(...files, ...directories),
          { signal: never, deadlineMs: 30_000 },
        ),
      ),
    );
    expect(answers.map(({ kind }) => kind)).toEqual(['unpacked', 'unpacked', 'unpacked']);
    expect(made).toEqual(Array.from({ length: 3 }, () => ['main.py', 'lib/a.py', 'lib']).flat());
    expect(children).toHaveLength(1);
  });

  it('gives the child one folder to write to and one to read from', async () => {
    create();
    const bundle = bundleOf({ a: 'x' });
    const elsewhere = join(folder, 'elsewhere');
    writeFileSync(elsewhere, bundle.bytes);
    expect(await ask(bundle, 'a', { into: join(folder, 'escape') })).toMatchObject({
      kind: 'failed',
      code: 'ERR_ACCESS_DENIED',
    });
    expect(await ask(bundle, 'b', { path: elsewhere })).toMatchObject({
      kind: 'failed',
      code: 'ERR_ACCESS_DENIED',
    });
    expect(readdirSync(folder).sort()).toEqual(['elsewhere', 'in', 'out']);
    expect(await ask(bundle, 'c')).toMatchObject({ kind: 'unpacked' });
  });

  it('ends the child when the request is aborted, and starts another for the next', async () => {
    let first = true;
    create((verb, rights) => {
      const spawned = first ? silent(verb, rights) : spawnUnpacker(verb, rights);
      first = false;
      return spawned;
    });
    const controller = new AbortController();
    const asked = ask(bundleOf({ a: 'x' }), 'a', { signal: controller.signal });
    setTimeout(() => controller.abort(new Error('preempted')), 50);
    await expect(asked).rejects.toThrow('preempted');
    expect(children[0]?.signalCode).toBe('SIGKILL');
    expect(await ask(bundleOf({ b: 'x' }), 'b')).toMatchObject({ kind: 'unpacked' });
  });

  it('gives up on a child that does not answer in time', async () => {
    create(silent);
    expect(await ask(bundleOf({ a: 'x' }), 'a', { deadlineMs: 80 })).toMatchObject({ kind: 'timeout' });
    expect(children[0]?.signalCode).toBe('SIGKILL');
  });

  it.each([
    ['dies', 'console.error("out of memory"); process.exit(134)', /exit code 134: out of memory/],
    ['talks nonsense', 'console.log("{]"); setInterval(() => {}, 1000)', /SIGKILL/],
    [
      'answers another request',
      'console.log(JSON.stringify({ kind: "made", id: 99, files: [], directories: [] })); setInterval(() => {}, 1000)',
      /SIGKILL/,
    ],
    [
      'writes a line without end',
      'process.stdout.write("x".repeat(2000000)); setInterval(() => {}, 1000)',
      /SIGKILL/,
    ],
  ])('says so when the child %s, and goes on with another', async (_what, script, message) => {
    let first = true;
    create((verb, rights) => {
      if (!first) return spawnUnpacker(verb, rights);
      first = false;
      return spawn(process.execPath, ['-e', `process.stdin.resume(); ${script}`], {
        stdio: ['pipe', 'pipe', 'pipe'],
      });
    });
    expect(await ask(bundleOf({ a: 'x' }), 'a')).toMatchObject({
      kind: 'lost',
      message: expect.stringMatching(message),
    });
    expect(await ask(bundleOf({ b: 'x' }), 'b')).toMatchObject({ kind: 'unpacked' });
  });

  it('says so when the child cannot be started', async () => {
    create(() => spawn(join(folder, 'no-such-program'), { stdio: ['pipe', 'pipe', 'inherit'] }));
    expect(await ask(bundleOf({ a: 'x' }), 'a')).toMatchObject({
      kind: 'lost',
      message: expect.stringMatching(/could not start/),
    });
  });

  it('lets the child end when there is nothing to do', async () => {
    create(spawnUnpacker, 20);
    await ask(bundleOf({ a: 'x' }), 'a');
    const [child] = children;
    if (child !== undefined && child.exitCode === null) await once(child, 'exit');
    expect(child?.exitCode).toBe(0);
    expect(await ask(bundleOf({ b: 'x' }), 'b')).toMatchObject({ kind: 'unpacked' });
    expect(children).toHaveLength(2);
  });

  it('ends the child when it is closed', async () => {
    create();
    await ask(bundleOf({ a: 'x' }), 'a');
    await unpacker.close();
    expect(children[0]?.exitCode).toBe(0);
  });
});
