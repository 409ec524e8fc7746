import { readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { type ExclusiveFile, takeExclusively } from '../system/exclusive-file.ts';
import { makePrivateDirectory } from './directories.ts';

const POLL_MS = 50;
const HOLDER_MAX_BYTES = 4_096;

const LockHolder = z.object({ pid: z.int(), verb: z.string(), since: z.iso.datetime({ offset: true }) });
export type LockHolder = z.infer<typeof LockHolder>;

export type LockAttempt =
  | { readonly kind: 'acquired'; release(): void }
  /** Still held when the wait was over. `by` is null when the holder could not say who it is. */
  | { readonly kind: 'held'; readonly by: LockHolder | null };

/**
 * One process at a time works on a state directory: the daemon, or a command without one. The lock is an exclusive transaction
 * on a SQLite file of its own, so that it works on every platform and the kernel drops it when its holder dies, however it
 * dies. Who holds it stands in `<path>.holder`, for messages only. `waitMs` 0 tries once. Rejects with the signal's reason
 * when it aborts, and with the system's error when the file cannot be made.
 */
export async function acquireLock(
  path: string,
  options: { holder: { pid: number; verb: string }; waitMs: number; signal: AbortSignal },
): Promise<LockAttempt> {
  const { holder, waitMs, signal } = options;
  signal.throwIfAborted();
  makePrivateDirectory(dirname(path));
  const until = performance.now() + waitMs;
  for (;;) {
    const file = takeExclusively(path);
    if (file !== null) {
      const holderFile = `${path}.holder`;
      writeHolder(holderFile, { ...holder, since: new Date().toISOString() });
      return { kind: 'acquired', release: () => release(file, holderFile) };
    }
    const left = until - performance.now();
    if (left <= 0) return { kind: 'held', by: readHolder(`${path}.holder`) };
    await sleep(Math.min(POLL_MS, left), undefined, { signal }).catch(() => signal.throwIfAborted());
  }
}

function release(file: ExclusiveFile, holderFile: string): void {
  if (!file.held()) return;
  rmSync(holderFile, { force: true });
  file.release();
}

/** By rename, so that a reader never sees half of it. A full disk costs the name, not the lock. */
function writeHolder(holderFile: string, holder: LockHolder): void {
  try {
    const temporary = `${holderFile}.${holder.pid}`;
    writeFileSync(temporary, JSON.stringify(holder), { mode: 0o600 });
    renameSync(temporary, holderFile);
  } catch {
    rmSync(holderFile, { force: true });
  }
}

function readHolder(holderFile: string): LockHolder | null {
  try {
    if (statSync(holderFile).size > HOLDER_MAX_BYTES) return null;
    return LockHolder.parse(JSON.parse(readFileSync(holderFile, 'utf8')));
  } catch {
    return null;
  }
}
