import { createHash } from 'node:crypto';
import { lstatSync, readdirSync } from 'node:fs';
import { sep } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import type { Clock } from '../reconciler/ports.ts';
import { COMPLETE_FILE } from './complete-mark.ts';
import { checkVersion, type Drift } from './drift.ts';

/** What is remembered of a version is believed so long: then it is hashed again, as bytes also rot untouched. */
const BELIEVED_MS = 12 * 60 * 60_000;

export interface KnownIntact {
  /** Hashes every file, and remembers what the file system says of a version that is intact. */
  deep(folder: string, signal: AbortSignal): Promise<Drift>;
  /** The same, but a version that was not touched since it was hashed by this process is not hashed again. */
  touched(folder: string, signal: AbortSignal): Promise<Drift>;
  forget(folder: string): void;
}

/**
 * A person may ask for a reconcile as often as they like: hashing gigabytes each time would tell nothing new. No write, rename or
 * change of mode leaves the time of change (ctime) as it was, whatever the writer does to the time of modification.
 */
export function createKnownIntact(clock: Clock): KnownIntact {
  const known = new Map<string, { readonly stamp: string; readonly at: number }>();

  const deep = async (folder: string, signal: AbortSignal, before: string | null): Promise<Drift> => {
    const at = clock.monotonicMs();
    const checked = await checkVersion(folder, 'deep', signal);
    // Taken before the bytes were read: what is touched meanwhile shows next time.
    if (checked.kind === 'intact' && before !== null) known.set(folder, { stamp: before, at });
    else known.delete(folder);
    return checked;
  };

  return {
    deep: async (folder, signal) => deep(folder, signal, await stampOf(folder, signal)),
    async touched(folder, signal) {
      const stamp = await stampOf(folder, signal);
      const before = known.get(folder);
      const believed = before !== undefined && clock.monotonicMs() - before.at < BELIEVED_MS;
      if (stamp === null || !believed || before.stamp !== stamp) return deep(folder, signal, stamp);
      return checkVersion(folder, 'quick', signal);
    },
    forget: (folder) => void known.delete(folder),
  };
}

/** Of every file its place, inode, size, mode and time of change; null when it cannot be said: then the hash says why. */
async function stampOf(root: string, signal: AbortSignal): Promise<string | null> {
  const digest = createHash('sha1');
  const folders = [root];
  try {
    for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
      // Others have their turn between two folders.
      await setImmediate();
      signal.throwIfAborted();
      const lines: string[] = [];
      for (const entry of readdirSync(folder, { withFileTypes: true })) {
        const path = folder + sep + entry.name;
        // What a folder holds is in the list; its mode is no part of a version.
        if (entry.isDirectory()) folders.push(path);
        else if (entry.name !== COMPLETE_FILE || folder !== root) lines.push(lineOf(path, entry.name));
      }
      digest.update(`${folder}\n${lines.sort().join('')}`);
    }
  } catch {
    signal.throwIfAborted();
    return null;
  }
  return digest.digest('hex');
}

function lineOf(path: string, name: string): string {
  const { ino, size, mode, ctimeMs } = lstatSync(path);
  return `${name}\0${ino} ${size} ${mode} ${ctimeMs}\n`;
}
