import { createHash } from 'node:crypto';
import { open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { COMPLETE_FILE } from './complete-mark.ts';

const READ_BYTES = 256 * 1024;
/** Hashed at once. */
const LINES_LENGTH = 64 * 1024;

/** One entry of a folder; a folder's own hash is the hash of its entries. */
export type TreeEntry =
  | {
      readonly kind: 'file';
      readonly name: string;
      readonly size: number;
      readonly executable: boolean;
      readonly sha256: string;
    }
  | { readonly kind: 'directory'; readonly name: string; readonly sha256: string };

/**
 * SHA-256 of a folder's entries, sorted by name: `<f|x|d> <size> <sha256> <name>` ended by NUL (which no name holds). `x` is a
 * file that may be executed. The order in which they come does not matter; names count in their NFC form, as some file systems
 * give them back in another.
 */
export function hashEntries(entries: readonly TreeEntry[]): string {
  const named = entries.map((entry) => ({ name: entry.name.normalize('NFC'), entry }));
  named.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  const digest = createHash('sha256');
  // In parts: the lines of a million entries are longer than the longest string.
  let lines = '';
  for (const { name, entry } of named) {
    lines +=
      entry.kind === 'directory'
        ? `d 0 ${entry.sha256} ${name}\0`
        : `${marksExecutable(entry.executable) ? 'x' : 'f'} ${entry.size} ${entry.sha256} ${name}\0`;
    if (lines.length < LINES_LENGTH) continue;
    digest.update(lines);
    lines = '';
  }
  return digest.update(lines).digest('hex');
}

export type FolderHash =
  | { readonly kind: 'hashed'; readonly sha256: string; readonly files: number; readonly bytes: number }
  /** Something that is neither file nor directory, which no version has. */
  | { readonly kind: 'foreign'; readonly path: string };

/** The hash of a version on disk, read in pieces, the mark of completeness left out. Throws the system's error, and on abort. */
export async function hashFolder(root: string, signal: AbortSignal): Promise<FolderHash> {
  const buffer = Buffer.allocUnsafe(READ_BYTES);
  let files = 0;
  let bytes = 0;
  const hashBelow = async (folder: string, atRoot: boolean): Promise<string | { foreign: string }> => {
    const entries: TreeEntry[] = [];
    for (const entry of await readdir(folder, { withFileTypes: true })) {
      signal.throwIfAborted();
      if (atRoot && entry.name === COMPLETE_FILE) continue;
      const path = join(folder, entry.name);
      if (entry.isDirectory()) {
        const sha256 = await hashBelow(path, false);
        if (typeof sha256 !== 'string') return sha256;
        entries.push({ kind: 'directory', name: entry.name, sha256 });
      } else if (entry.isFile()) {
        const file = await hashFile(path, buffer, signal);
        files += 1;
        bytes += file.size;
        entries.push({ kind: 'file', name: entry.name, ...file });
      } else {
        return { foreign: path };
      }
    }
    return hashEntries(entries);
  };
  const sha256 = await hashBelow(root, true);
  return typeof sha256 === 'string'
    ? { kind: 'hashed', sha256, files, bytes }
    : { kind: 'foreign', path: sha256.foreign };
}

async function hashFile(
  path: string,
  buffer: Buffer,
  signal: AbortSignal,
): Promise<{ size: number; executable: boolean; sha256: string }> {
  const handle = await open(path, 'r');
  try {
    const { mode } = await handle.stat();
    const digest = createHash('sha256');
    let size = 0;
    for (;;) {
      const { bytesRead } = await handle.read(buffer, 0, buffer.length, null);
      if (bytesRead === 0) break;
      signal.throwIfAborted();
      digest.update(buffer.subarray(0, bytesRead));
      size += bytesRead;
    }
    return { size, executable: (mode & 0o111) !== 0, sha256: digest.digest('hex') };
  } finally {
    await handle.close();
  }
}

/** Windows keeps no such bit. */
function marksExecutable(executable: boolean): boolean {
  return executable && process.platform !== 'win32';
}
