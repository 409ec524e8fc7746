import { randomBytes } from 'node:crypto';
import { open, readdir, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const RENAME_TRIES = 10;
const RENAME_WAIT_MS = 50;
const ABANDONED_AFTER_MS = 60 * 60 * 1000;
const TEMPORARY_NAME = /^\..+\.[0-9a-f]{16}\.tmp$/;

export interface AtomicWriteOptions {
  /** Permissions of the file, less the umask; 0o644 when absent. Those of a file that was there are not kept. */
  readonly mode?: number;
  /** Looked at until the rename; aborting leaves the old file as it was and rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}

/**
 * Puts `bytes` under `path` whole or not at all (design.md, crash protocol 7): temporary file in the same directory, write
 * all, check the size, fsync, close, rename, fsync the directory. Durable when it resolves. On any failure (ENOSPC, EIO, …)
 * the old file stays, the temporary one is removed and the system's error is thrown as it came.
 */
export async function writeFileAtomically(
  path: string,
  bytes: Uint8Array | string,
  options: AtomicWriteOptions = {},
): Promise<void> {
  const { mode = 0o644, signal } = options;
  const content = typeof bytes === 'string' ? Buffer.from(bytes, 'utf8') : bytes;
  const directory = dirname(path);
  const temporary = join(directory, `.${basename(path)}.${randomBytes(8).toString('hex')}.tmp`);
  signal?.throwIfAborted();
  try {
    const handle = await open(temporary, 'wx', mode);
    try {
      await handle.writeFile(content);
      const { size } = await handle.stat();
      if (size !== content.byteLength) {
        throw new Error(
          `expected ${content.byteLength} bytes in ${temporary}, found ${size}: is the disk full?`,
        );
      }
      await handle.sync();
    } finally {
      await handle.close();
    }
    signal?.throwIfAborted();
    await renamePatiently(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw error;
  }
  await syncDirectory(directory);
}

/** Makes creations, renames and removals in a directory durable. Windows has no such call and needs none. */
export async function syncDirectory(directory: string): Promise<void> {
  if (process.platform === 'win32') return;
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } catch (error) {
    // Some network file systems refuse fsync of a directory; they order their metadata themselves.
    if (!['EINVAL', 'ENOTSUP'].includes(codeOf(error))) throw error;
  } finally {
    await handle.close();
  }
}

/** Removes what a killed `writeFileAtomically` left in a directory, once it is an hour old and so nobody's any more. */
export async function removeAbandonedTemporaries(directory: string, now = Date.now()): Promise<number> {
  let removed = 0;
  for (const name of await readdir(directory)) {
    if (!TEMPORARY_NAME.test(name)) continue;
    const path = join(directory, name);
    const found = await stat(path).catch(() => null);
    if (found === null || now - found.mtimeMs < ABANDONED_AFTER_MS) continue;
    await rm(path, { force: true });
    removed += 1;
  }
  return removed;
}

/** On Windows a virus scanner or an indexer may hold the target for a moment. */
async function renamePatiently(from: string, to: string): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await rename(from, to);
      return;
    } catch (error) {
      const held = ['EPERM', 'EACCES', 'EBUSY'].includes(codeOf(error));
      if (process.platform !== 'win32' || !held || attempt === RENAME_TRIES) throw error;
      await sleep(RENAME_WAIT_MS * attempt);
    }
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
}
