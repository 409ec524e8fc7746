import { lstat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../reconciler/ports.ts';
import { entriesOf } from './directories.ts';
import type { StoreLayout } from './layout.ts';
import { listVersionFolders } from './version-folders.ts';

/** The state folder may hold environments of many files; a status every few seconds must not walk them each time. */
const REMEMBERED_MS = 60_000;

/** Bytes of the tenant's versions (as unpacked) and of the agent's state, at most a minute old; bytes free for this account. */
export function createDiskUsage(
  layout: StoreLayout,
  clock: Clock,
): () => Promise<{ used: number; free: number }> {
  let known: { at: number; used: Promise<number> } | null = null;

  const measure = async () => {
    const versions = await listVersionFolders(layout);
    const unpacked = versions.reduce((sum, { mark }) => sum + (mark?.bytes ?? 0), 0);
    return unpacked + (await bytesBelow(layout.state));
  };

  return async () => {
    const at = clock.monotonicMs();
    if (known === null || at - known.at >= REMEMBERED_MS) {
      const used = measure();
      known = { at, used };
      // A failure is not remembered.
      used.catch(() => {
        known = null;
      });
    }
    const { bavail, bsize } = await statfs(layout.tenant);
    return { used: await known.used, free: bavail * bsize };
  };
}

async function bytesBelow(folder: string): Promise<number> {
  let bytes = 0;
  for (const entry of await entriesOf(folder)) {
    const path = join(folder, entry.name);
    // What disappears while we look is not counted.
    if (entry.isDirectory()) bytes += await bytesBelow(path);
    else bytes += (await lstat(path).catch(() => null))?.size ?? 0;
  }
  return bytes;
}
