import { randomUUID } from 'node:crypto';
import { chmod, lstat } from 'node:fs/promises';
import { join } from 'node:path';
import { entriesOf, moveDirectory, removeTree } from './directories.ts';

export interface Trash {
  /** Out of its place in one step, so that a crash never leaves half of it there; then removed. False when nothing was there. */
  discard(path: string): Promise<boolean>;
  /** Only the first half: where it lies now, or null when nothing was there. */
  moveIn(path: string): Promise<string | null>;
  /** Removes what lies in it; how many. */
  empty(): Promise<number>;
}

/** Crash protocol 10. `directory` is on the file system of what is thrown away. */
export function createTrash(directory: string): Trash {
  const moveIn = async (path: string): Promise<string | null> => {
    const found = await lstat(path).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return null;
      throw error;
    });
    if (found === null) return null;
    // A folder that one may not write to cannot be moved: its `..` changes.
    if (found.isDirectory()) await chmod(path, 0o755);
    const to = join(directory, randomUUID());
    await moveDirectory(path, to);
    return to;
  };

  return {
    async discard(path) {
      const moved = await moveIn(path);
      if (moved !== null) await removeTree(moved);
      return moved !== null;
    },
    moveIn,
    async empty() {
      const entries = await entriesOf(directory);
      for (const entry of entries) await removeTree(join(directory, entry.name));
      return entries.length;
    },
  };
}
