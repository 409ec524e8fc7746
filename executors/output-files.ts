import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { open, opendir } from 'node:fs/promises';
import { join } from 'node:path';
import type { RunOutput } from '../schemas/run.ts';

export const OUTPUT_FILES_MAX = 10_000;
/** Folders are counted too: a tree of empty ones has an end. */
const ENTRIES_MAX = 10 * OUTPUT_FILES_MAX;
const HASHED_AT_ONCE = 8;

export interface OutputFiles {
  /** Sorted by name. */
  readonly files: readonly RunOutput[];
  /** True when some are not listed: more than `OUTPUT_FILES_MAX`, ten times as many entries, or no time left to hash them. */
  readonly cut: boolean;
}

/**
 * The regular files below a folder, named relative to it with forward slashes. Symbolic links and everything else that is
 * no file or folder are passed over: what they point at was not left here by the flow. What is not hashed when `signal` comes is
 * not listed: a sparse file of terabytes takes no space, and would take days.
 */
export async function collectOutputFiles(folder: string, signal: AbortSignal): Promise<OutputFiles> {
  const names: string[] = [];
  const folders = [''];
  let entries = 0;
  let cut = false;
  while (folders.length > 0 && !cut) {
    const inside = folders.pop() as string;
    const listing = await opendir(join(folder, inside)).catch(() => null);
    if (listing === null) continue;
    for await (const entry of listing) {
      entries += 1;
      const name = inside === '' ? entry.name : `${inside}/${entry.name}`;
      if (entries > ENTRIES_MAX || (entry.isFile() && names.length >= OUTPUT_FILES_MAX)) {
        cut = true;
        break;
      }
      if (entry.isFile()) names.push(name);
      else if (entry.isDirectory()) folders.push(name);
    }
  }
  const files: RunOutput[] = [];
  names.sort();
  for (let at = 0; at < names.length; at += HASHED_AT_ONCE) {
    const some = names.slice(at, at + HASHED_AT_ONCE);
    const digests = await Promise.all(some.map((name) => digest(join(folder, name), signal)));
    for (const [index, found] of digests.entries()) {
      if (found === 'late') cut = true;
      else if (found !== null) files.push({ name: some[index] as string, ...found });
    }
  }
  return { files, cut };
}

/** Null when it is gone, unreadable or no regular file any more. */
async function digest(
  path: string,
  signal: AbortSignal,
): Promise<{ size: number; sha256: string } | 'late' | null> {
  // O_NONBLOCK: a pipe in the place of the file would wait for a writer.
  const flags = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);
  const file = await open(path, flags).catch(() => null);
  if (file === null) return null;
  try {
    if (!(await file.stat()).isFile()) return null;
    const hash = createHash('sha256');
    const buffer = Buffer.allocUnsafe(256 * 1024);
    let size = 0;
    for (;;) {
      const { bytesRead } = await file.read(buffer, 0, buffer.length);
      if (bytesRead === 0) return { size, sha256: hash.digest('hex') };
      if (signal.aborted) return 'late';
      hash.update(buffer.subarray(0, bytesRead));
      size += bytesRead;
    }
  } catch {
    return null;
  } finally {
    await file.close();
  }
}
