import { closeSync, openSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';

const POLL_MS = 100;
const SQLITE_BUSY = 5;

/**
 * One holder at a time, in this process and in all others: an exclusive transaction on an empty SQLite file, which the kernel
 * drops when its holder dies, however it dies (decision 0003). Waits until it is free, or with `wait: false` gives null when
 * it is taken. Gives the function that lets go. Rejects with the signal's reason, or the system's error.
 */
export async function lockFile(
  path: string,
  options: { wait: boolean; signal: AbortSignal },
): Promise<(() => void) | null> {
  createOnce(path);
  for (;;) {
    options.signal.throwIfAborted();
    const held = tryLock(path);
    if (held !== null) return () => held.close();
    if (!options.wait) return null;
    await sleep(POLL_MS, undefined, { signal: options.signal }).catch(() => options.signal.throwIfAborted());
  }
}

/** For nobody else to hold. Only when missing: closing a file that this process has locked would drop its POSIX lock. */
function createOnce(path: string): void {
  try {
    closeSync(openSync(path, 'wx', 0o600));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}

function tryLock(path: string): DatabaseSync | null {
  const sqlite = new DatabaseSync(path, { timeout: 0 });
  try {
    sqlite.exec('PRAGMA journal_mode = OFF; BEGIN EXCLUSIVE');
    return sqlite;
  } catch (error) {
    sqlite.close();
    if (((error as { errcode?: number }).errcode ?? 0) % 256 === SQLITE_BUSY) return null;
    throw error;
  }
}
