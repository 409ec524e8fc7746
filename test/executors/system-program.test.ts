import { expect, it } from 'vitest';
import { runHelper } from '../../executors/system-program.ts';

const shell = (script: string, options: Partial<Parameters<typeof runHelper>[2]> = {}) =>
  runHelper('/bin/sh', ['-c', script], { timeoutMs: 10_000, ...options });

it('tells the exit code and the output, without its last line break', async () => {
  expect(await shell('echo one; echo two; exit 3')).toEqual({
    exitCode: 3,
    stdout: 'one\ntwo',
    timedOut: false,
    found: null,
  });
});

it('gives the environment it is told and nothing else, and no input', async () => {
  expect((await shell('cat; echo "$A-$HOME"', { env: { A: 'a' } })).stdout).toBe('a-');
});

it('says that a program does not exist', async () => {
  const answer = await runHelper('/nowhere/program', [], { timeoutMs: 10_000 });
  expect(answer).toEqual({ exitCode: null, stdout: '', timedOut: false, found: 'ENOENT' });
});

it('ends one that takes too long, however it holds on', async () => {
  const answer = await shell('trap "" TERM; exec sleep 30', { timeoutMs: 200 });
  expect(answer).toMatchObject({ exitCode: null, timedOut: true });
});

it('ends one that says too much', async () => {
  const answer = await shell('while :; do echo more and more; done', { maxBytes: 1_000 });
  expect(answer).toMatchObject({ exitCode: null, timedOut: false });
  expect(answer.stdout.length).toBeLessThanOrEqual(1_000);
});

it('ends one when nobody waits for it any more', async () => {
  const waiting = new AbortController();
  const answer = shell('exec sleep 30', { signal: waiting.signal });
  waiting.abort();
  expect(await answer).toMatchObject({ exitCode: null, timedOut: false });
});
