import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { acquireLock } from '../../store/state-lock.ts';

const posix = process.platform !== 'win32';
const never = new AbortController().signal;
let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lock-'));
  path = join(folder, 'state', 'lock');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

function take(options: { verb?: string; waitMs?: number; signal?: AbortSignal } = {}) {
  const { verb = 'reconcile', waitMs = 0, signal = never } = options;
  return acquireLock(path, { holder: { pid: process.pid, verb }, waitMs, signal });
}

function release(attempt: Awaited<ReturnType<typeof take>>): void {
  if (attempt.kind !== 'acquired') throw new Error('expected the lock to be free');
  attempt.release();
}

/** Another process that takes the lock and keeps it until it is killed. */
async function startHolder() {
  const script = `
    import { acquireLock } from ${JSON.stringify(new URL('../../store/state-lock.ts', import.meta.url).href)};
    const lock = await acquireLock(process.argv[1], { holder: { pid: process.pid, verb: 'run' }, waitMs: 0, signal: new AbortController().signal });
    process.stdout.write(lock.kind);
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script, path], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [answer] = await once(child.stdout, 'data');
  expect(String(answer)).toBe('acquired');
  return child;
}

describe('acquireLock', () => {
  it('lets one in, says who holds it to the next, and lets that one in after the release', async () => {
    const first = await take({ verb: 'run' });
    expect(await take()).toEqual({
      kind: 'held',
      by: { pid: process.pid, verb: 'run', since: expect.stringMatching(/^20.*Z$/) },
    });
    // A failed attempt in the same process must not have dropped the lock.
    expect((await take()).kind).toBe('held');
    release(first);
    const second = await take();
    release(second);
    release(second);
    release(await take());
  });

  it('is free as soon as its holder is killed', async () => {
    const holder = await startHolder();
    expect(await take()).toMatchObject({ kind: 'held', by: { pid: holder.pid, verb: 'run' } });
    holder.kill('SIGKILL');
    await once(holder, 'exit');
    release(await take());
  });

  it('waits for its turn', async () => {
    const first = await take();
    const second = take({ waitMs: 5_000 });
    setTimeout(() => release(first), 120);
    const before = performance.now();
    release(await second);
    expect(performance.now() - before).toBeGreaterThan(90);
  });

  it('ends a wait at once when it is aborted', async () => {
    const first = await take();
    const controller = new AbortController();
    setTimeout(() => controller.abort(new Error('interrupted')), 30);
    await expect(take({ waitMs: 60_000, signal: controller.signal })).rejects.toThrow('interrupted');
    release(first);
  });

  it('holds without a name when the side file is unreadable', async () => {
    const first = await take();
    await writeFile(`${path}.holder`, '{"pid":');
    expect(await take()).toEqual({ kind: 'held', by: null });
    release(first);
  });

  it.runIf(posix)('is private to its owner', async () => {
    const lock = await take();
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect((await stat(`${path}.holder`)).mode & 0o777).toBe(0o600);
    expect((await stat(join(folder, 'state'))).mode & 0o777).toBe(0o700);
    release(lock);
  });
});
