import { mkdirSync } from 'node:fs';
import { chmod, lstat, mkdir, readdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const RENAME_TRIES = 10;
const RENAME_WAIT_MS = 50;

/** A place of the store is not what it must be: a symbolic link or a file where a folder belongs. A person must look. */
export class StorePlaceError extends Error {
  readonly path: string;

  constructor(path: string, found: string) {
    super(
      `expected a folder at ${path}, found ${found}; remove it, or point edge_cache_dir itself to where versions shall live`,
    );
    this.name = 'StorePlaceError';
    this.path = path;
  }
}

/**
 * Makes a folder inside one that exists, when it is missing; not yet durable. A symbolic link is refused: what is renamed into
 * place must stay on one file system, and a link could be turned while we look away.
 */
export async function makeDirectory(path: string, mode = 0o755): Promise<void> {
  try {
    await mkdir(path, { mode });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    await checkDirectory(path);
  }
}

/** Throws `StorePlaceError` when something else is there; nothing there is no error. */
export async function checkDirectory(path: string): Promise<void> {
  const found = await lstat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw error;
  });
  if (found === null || found.isDirectory()) return;
  throw new StorePlaceError(path, found.isSymbolicLink() ? 'a symbolic link' : 'a file');
}

/** For the owner alone; the folders above it, when they are missing, with the account's usual rights. */
export function makePrivateDirectory(path: string): void {
  mkdirSync(dirname(path), { recursive: true });
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}

/** Renames a folder; on Windows a scanner may hold it for a moment. */
export async function moveDirectory(from: string, to: string): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await rename(from, to);
      return;
    } catch (error) {
      const held = ['EPERM', 'EACCES', 'EBUSY'].includes((error as NodeJS.ErrnoException).code ?? '');
      if (process.platform !== 'win32' || !held || attempt === RENAME_TRIES) throw error;
      await sleep(RENAME_WAIT_MS * attempt);
    }
  }
}

/** Removes a tree, read-only folders and all. Links are removed, not followed. Nothing there is no error. */
export async function removeTree(path: string): Promise<void> {
  try {
    await rm(path, { recursive: true, force: true });
  } catch (error) {
    if (!['EACCES', 'EPERM'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
    await makeWritable(path);
    await rm(path, { recursive: true, force: true });
  }
}

async function makeWritable(path: string): Promise<void> {
  const found = await lstat(path);
  if (!found.isDirectory()) return;
  await chmod(path, 0o700);
  for (const entry of await readdir(path, { withFileTypes: true })) {
    if (entry.isDirectory()) await makeWritable(join(path, entry.name));
  }
}

/** The entries of a folder, or none when it is not there. */
export async function entriesOf(path: string) {
  try {
    return await readdir(path, { withFileTypes: true });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}
