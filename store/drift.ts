import { lstatSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { readCompleteMark } from './complete-mark.ts';
import { isSystemError } from './io-setback.ts';
import { hashFolder } from './tree-hash.ts';

export type Drift = { readonly kind: 'intact' } | { readonly kind: 'drifted'; readonly message: string };

/**
 * Whether a version is still what was unpacked: `quick` looks for the folder and its mark, `deep` hashes every file again. What
 * cannot be read is drift too. Rejects only when the signal aborts.
 */
export async function checkVersion(
  folder: string,
  depth: 'quick' | 'deep',
  signal: AbortSignal,
): Promise<Drift> {
  const drifted = (found: string): Drift => ({
    kind: 'drifted',
    message: `expected the version in ${folder} as it was unpacked, found ${found}`,
  });
  try {
    // Others have their turn between two versions: a disk that was asleep answers in milliseconds.
    await setImmediate();
    const place = lstatSync(folder, { throwIfNoEntry: false });
    if (place === undefined) return drifted('nothing there');
    if (!place.isDirectory()) return drifted(place.isSymbolicLink() ? 'a symbolic link' : 'a file');
    const mark = readCompleteMark(folder);
    if (mark === null) return drifted('no valid .complete in it');
    if (depth === 'quick') return { kind: 'intact' };
    const hashed = await hashFolder(folder, signal);
    if (hashed.kind === 'foreign')
      return drifted(`something that is neither file nor folder: ${hashed.path}`);
    if (hashed.sha256 === mark.tree_sha256) return { kind: 'intact' };
    const counts = `${hashed.files} files of ${hashed.bytes} bytes, where ${mark.files} of ${mark.bytes} were unpacked`;
    return drifted(`other content (${counts})`);
  } catch (error) {
    signal.throwIfAborted();
    if (isSystemError(error)) return drifted((error as Error).message);
    throw error;
  }
}
