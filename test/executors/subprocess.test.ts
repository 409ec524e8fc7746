import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ownCgroup } from '../../executors/cgroup.ts';
import { createSubprocessExecutor } from '../../executors/subprocess.ts';
import { createSystemClock } from '../../system/clock.ts';
import { type Bench, createBench, executorContract, SETTINGS, SPEC, text } from '../contract/executor.ts';

const never = new AbortController().signal;
const { stdout: python } = await execa('python3', ['-c', 'import sys; print(sys.executable)'], { cwd: '/' });

const program = {
  create: createSubprocessExecutor,
  async install(bundle: string, source: string) {
    // PYTHONUTF8 comes from the executor: the first line alone says what runs.
    await writeFile(join(bundle, 'flow'), `#!${python}\n${source}`);
    await chmod(join(bundle, 'flow'), 0o755);
    return 'flow';
  },
};
const shell = {
  create: createSubprocessExecutor,
  async install(bundle: string, source: string) {
    await writeFile(join(bundle, 'flow.sh'), `#!/bin/sh\n${source}\n`);
    await chmod(join(bundle, 'flow.sh'), 0o755);
    return 'flow.sh';
  },
};

executorContract('the subprocess executor', program);

describe('a shell script', () => {
  let bench: Bench;
  beforeEach(async () => {
    bench = await createBench(shell);
  });
  afterEach(async () => {
    await bench.dispose();
  });

  it('can open /dev/stdout and /dev/stderr, as it can at a terminal', async () => {
    const result = await bench.run('echo out > /dev/stdout; echo err > /dev/stderr');
    expect(result.reason).toBeNull();
    expect([text(result.stdout), text(result.stderr)]).toEqual(['out\n', 'err\n']);
  });

  it('sees no descriptor beside its three', async () => {
    // No pipeline, and not the last command: the shell would hold descriptors of its own for either.
    const list = 'ls /proc/$$/fd; true';
    // What this process itself inherited goes to every child of it.
    const inherited = await execa('/bin/sh', ['-c', list], { stdin: 'ignore' });
    const result = await bench.run(list);
    // 10 or 255 is the script, held open by the shell.
    const own = text(result.stdout)
      .trim()
      .split('\n')
      .filter((fd) => fd !== '10' && fd !== '255');
    expect(own).toEqual(inherited.stdout.trim().split('\n'));
  });

  it('reports the program that cannot be executed', async () => {
    const result = await bench.run('exec /no/such/program');
    expect(result).toMatchObject({ status: 'failed', exitCode: 127, reason: 'exit code 127' });
    expect(text(result.stderr)).toContain('/no/such/program');
  });
});

describe('the subprocess executor, asked before activation', () => {
  const executor = createSubprocessExecutor({
    clock: createSystemClock(),
    environment: process.env,
    cgroup: ownCgroup,
  });
  let directory: string;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'bundle-'));
    await writeFile(join(directory, 'plain'), '#!/bin/sh\n', { mode: 0o644 });
    await writeFile(join(directory, 'main.py'), 'print("under python")', { mode: 0o644 });
  });
  afterAll(async () => {
    await rm(directory, { recursive: true });
  });
  const prepare = (entrypoint: string, python = SETTINGS.python) =>
    executor.prepare({ spec: SPEC, directory, entrypoint }, { ...SETTINGS, python }, never);

  it('asks for the right to execute, and for a file that is there', async () => {
    expect(await executor.supports(SETTINGS, never)).toEqual({ kind: 'supported' });
    expect(await prepare('plain')).toMatchObject({
      kind: 'stalled',
      code: 'entrypoint_missing',
      message: expect.stringContaining('mode 0644'),
    });
    expect(await prepare('absent')).toMatchObject({ kind: 'stalled', code: 'entrypoint_missing' });
    await chmod(join(directory, 'plain'), 0o755);
    expect(await prepare('plain')).toEqual({ kind: 'ready' });
  });

  it.each([
    ['foreign', Buffer.from('MZ\x90'), 'runtime_unsupported', 'found one for Windows'],
    ['crlf', Buffer.from('#!/bin/sh\r\necho'), 'runtime_unsupported', 'carriage return'],
    ['lost', Buffer.from('#!/no/such/ruby\n'), 'interpreter_missing', '/no/such/ruby'],
  ])('says what is wrong with a program that cannot run: %s', async (name, content, code, found) => {
    await writeFile(join(directory, name), content, { mode: 0o755 });
    const message = expect.stringContaining(found) as string;
    expect(await prepare(name)).toEqual({ kind: 'stalled', code, message });
  });

  it('runs a text without a first line of its own by the shell', async () => {
    await writeFile(join(directory, 'text'), 'echo hello', { mode: 0o755 });
    expect(await prepare('text')).toEqual({ kind: 'ready' });
    const bench = await createBench({
      create: createSubprocessExecutor,
      async install(bundle, source) {
        await writeFile(join(bundle, 'text'), source, { mode: 0o755 });
        return 'text';
      },
    });
    expect(text((await bench.run('echo hello')).stdout)).toBe('hello\n');
    await bench.dispose();
  });

  it('runs a .py entrypoint under Python, executable or not', async () => {
    expect(await prepare('main.py')).toEqual({ kind: 'ready' });
    expect(await prepare('main.py', { ...SETTINGS.python, interpreter: '/no/python' })).toMatchObject({
      kind: 'stalled',
      code: 'interpreter_missing',
    });
    const bench = await createBench({
      create: createSubprocessExecutor,
      async install(bundle, source) {
        await writeFile(join(bundle, 'main.py'), source, { mode: 0o644 });
        return 'main.py';
      },
    });
    expect(text((await bench.run('print("under python")')).stdout)).toBe('under python\n');
    await bench.dispose();
  });
});
