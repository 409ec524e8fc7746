import { createHash } from 'node:crypto';
import { chmod, lstat, readdir, unlink, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { COMPLETE_FILE, EnvironmentMark } from '../schemas/environment-mark.ts';
import { writeFileAtomically } from '../system/atomic-file.ts';
import { readSmallFile } from '../system/small-file.ts';
import { isOfOthers, removeTree } from './folder-removal.ts';

const MARK_MAX_BYTES = 64 * 1024;
const AT_ONCE = 64;

interface Entry {
  /** Relative to the folder. */
  readonly path: string;
  readonly kind: 'file' | 'directory' | 'link' | 'other';
  readonly size: number;
  readonly mtimeMs: number;
  readonly mode: number;
}

/**
 * Nobody writes to a finished environment: files 0444 or 0555, folders 0555. Writes `.complete` as the last step, with a
 * fingerprint by which `isIntact` finds what changed.
 */
export async function completeFolder(
  folder: string,
  about: Omit<EnvironmentMark, 'format' | 'files' | 'bytes' | 'fingerprint'>,
): Promise<EnvironmentMark> {
  for (const entry of await list(folder)) {
    if (entry.kind === 'file')
      await chmod(join(folder, entry.path), (entry.mode & 0o100) === 0 ? 0o444 : 0o555);
    else if (entry.kind === 'directory') await chmod(join(folder, entry.path), 0o555);
  }
  const entries = await list(folder);
  const files = entries.filter((entry) => entry.kind === 'file');
  const mark: EnvironmentMark = {
    format: 1,
    ...about,
    files: files.length,
    bytes: files.reduce((sum, file) => sum + file.size, 0),
    fingerprint: fingerprint(entries),
  };
  await writeFileAtomically(join(folder, COMPLETE_FILE), JSON.stringify(mark));
  await chmod(folder, 0o555);
  return mark;
}

/** The mark of a finished environment; null when there is none that can be read. */
export async function readMark(folder: string): Promise<EnvironmentMark | null> {
  const found = await readSmallFile(join(folder, COMPLETE_FILE), MARK_MAX_BYTES).catch(() => null);
  if (found?.kind !== 'read') return null;
  try {
    const parsed = EnvironmentMark.safeParse(JSON.parse(Buffer.from(found.bytes).toString('utf8')));
    return parsed.success ? parsed.data : null;
  } catch {
    return null;
  }
}

/** Names, kinds, sizes, modes and times of all files as they were: enough to notice, not to prove. No content is read. */
export async function isIntact(folder: string, mark: EnvironmentMark): Promise<boolean> {
  return fingerprint(await list(folder)) === mark.fingerprint;
}

/** When it was last asked for: what nobody used for long and nothing refers to is collected. */
export async function noteUse(folder: string, now: Date): Promise<void> {
  await utimes(join(folder, COMPLETE_FILE), now, now).catch(() => undefined);
}

/** Removes a finished or half-built environment: the mark first, so that no half of one looks whole. False when something is left. */
export async function removeFolder(folder: string): Promise<boolean> {
  await chmod(folder, 0o700).catch(() => undefined);
  await unlink(join(folder, COMPLETE_FILE)).catch(() => undefined);
  return removeTree(folder);
}

/** Nothing below a folder of another account: who owns it may change it at any time. */
async function list(folder: string, inside = ''): Promise<Entry[]> {
  const names = await readdir(join(folder, inside)).catch(() => []);
  names.sort((a, b) => (a < b ? -1 : 1));
  const entries: Entry[] = [];
  for (let at = 0; at < names.length; at += AT_ONCE) {
    const some = await Promise.all(
      names.slice(at, at + AT_ONCE).map(async (name) => {
        const path = join(inside, name);
        const { size, mtimeMs, mode, uid } = await lstat(join(folder, path));
        return {
          path,
          kind: isOfOthers(uid) ? 'other' : kindOf(mode),
          size,
          mtimeMs,
          mode: mode & 0o777,
        } as const;
      }),
    );
    for (const entry of some) {
      if (entry.path === COMPLETE_FILE) continue;
      entries.push(entry);
      if (entry.kind === 'directory') entries.push(...(await list(folder, entry.path)));
    }
  }
  return entries;
}

const S_IFMT = 0o170000;
function kindOf(mode: number): Entry['kind'] {
  const type = mode & S_IFMT;
  if (type === 0o100000) return 'file';
  if (type === 0o040000) return 'directory';
  return type === 0o120000 ? 'link' : 'other';
}

function fingerprint(entries: readonly Entry[]): string {
  const hash = createHash('sha256');
  for (const { path, kind, size, mtimeMs, mode } of entries) {
    // A folder's own size and time follow from what is in it, and differ between file systems.
    const own = kind === 'file' ? `${size} ${Math.trunc(mtimeMs)} ${mode.toString(8)}` : '';
    hash.update(`${kind} ${own} ${path}\0`);
  }
  return hash.digest('hex');
}
