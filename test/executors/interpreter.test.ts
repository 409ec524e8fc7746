import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createInterpreterFinder } from '../../executors/interpreter.ts';
import { createPythonExecutor } from '../../executors/python.ts';
import { createBench, SETTINGS } from '../contract/executor.ts';

const never = new AbortController().signal;

describe('the interpreter', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'python-'));
  });
  afterEach(async () => {
    await rm(folder, { recursive: true });
  });

  /** A program that answers as a Python of this version would, and counts how often it was asked. */
  const install = async (name: string, version: string) => {
    const path = join(folder, name);
    await mkdir(join(path, '..'), { recursive: true });
    await writeFile(path, `#!/bin/sh\necho >> ${folder}/asked\nprintf '${version}\\n${path}'\n`);
    await chmod(path, 0o755);
    return path;
  };
  const find = (python: { interpreter: string; minVersion: string }, finder = finderHere()) =>
    finder.find({ ...SETTINGS, python }, never);
  const finderHere = () => createInterpreterFinder({ PATH: `${folder}/a:${folder}/b` });
  const auto = { interpreter: 'auto', minVersion: '3.11' };

  it('is the first python3 on PATH that is new enough', async () => {
    await install('a/python3', '3.9.2');
    const second = await install('b/python3', '3.12.1');
    await install('a/python', '3.14.0');
    expect(await find(auto)).toEqual({ kind: 'found', path: second, version: '3.12.1' });
  });

  it('is a python3.N when python3 is too old, the newest first', async () => {
    await install('a/python3', '3.9.2');
    await install('a/python3.11', '3.11.9');
    const newest = await install('b/python3.13', '3.13.0');
    expect(await find(auto)).toMatchObject({ path: newest });
  });

  it('compares versions as numbers', async () => {
    const path = await install('own', '3.9.18');
    expect(await find({ interpreter: path, minVersion: '3.10' })).toMatchObject({ kind: 'stalled' });
    expect(await find({ interpreter: path, minVersion: '3.9.2' })).toMatchObject({ kind: 'found' });
  });

  it('names what was looked for and what was found instead', async () => {
    const old = await install('a/python', '2.7.18');
    const broken = join(folder, 'b', 'python3');
    await mkdir(join(folder, 'b'));
    await writeFile(broken, '#!/bin/sh\nexit 9\n', { mode: 0o755 });
    const finder = createInterpreterFinder({ PATH: `${folder}/a:${folder}/b` });
    expect(await find(auto, finder)).toEqual({
      kind: 'stalled',
      code: 'interpreter_missing',
      message: `expected Python 3.11 or later (python3 or python on PATH), found: ${broken} is no Python that runs (exit code 9); ${old} is 2.7.18. Install it, or name one in executors.python.interpreter`,
    });
    expect(await find({ interpreter: '/no/python', minVersion: '3.11' })).toMatchObject({
      message: expect.stringContaining('/no/python does not exist'),
    });
  });

  it('is asked once, until its file changes', async () => {
    const asked = async () => (await readFile(join(folder, 'asked'), 'utf8')).length;
    const path = await install('a/python3', '3.12.1');
    const finder = finderHere();
    await find(auto, finder);
    await find(auto, finder);
    expect(await asked()).toBe(1);
    await writeFile(path, '#!/bin/sh\nprintf "3.8.0\\n/x"\n');
    expect(await find(auto, finder)).toMatchObject({ kind: 'stalled' });
  });

  it('stops the flow from starting when it is gone', async () => {
    const bench = await createBench({
      create: createPythonExecutor,
      install: () => Promise.resolve('main.py'),
    });
    const python = { ...SETTINGS.python, interpreter: '/no/python' };
    const result = await bench.run('', {}, { python });
    expect(result).toMatchObject({ status: 'failed', reason: expect.stringContaining('/no/python') });
    await bench.dispose();
  });
});
