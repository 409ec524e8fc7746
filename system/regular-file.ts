import { type BigIntStats, constants } from 'node:fs';
import { type FileHandle, lstat, open, realpath, stat } from 'node:fs/promises';
import { dirname, resolve, sep } from 'node:path';

export type RegularFile =
  | {
      readonly kind: 'open';
      readonly handle: FileHandle;
      /** Without symbolic links. */
      readonly real: string;
      readonly size: number;
      /** Names of the file on its file system: more than one may be somebody's way round a list of folders. */
      readonly names: number;
    }
  | { readonly kind: 'outside' }
  | { readonly kind: 'missing'; readonly found: string }
  | { readonly kind: 'not_a_file' };

/** Open files take O_NONBLOCK: a pipe in the place of a file would wait for a writer. */
const FLAGS = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);
const CHUNK_BYTES = 64 * 1_024;

/**
 * Opens a regular file that really lies below one of `roots` and in none of `never`, whatever links lead there and whoever swaps
 * folders meanwhile: the path is resolved, opened without following, and what is open has to be what the path still means.
 * The caller closes the handle.
 */
export async function openRegularFile(
  path: string,
  place: { readonly roots: readonly string[]; readonly never: readonly string[] },
): Promise<RegularFile> {
  const roots = (await Promise.all(place.roots.map(realOrNull))).filter((root) => root !== null);
  const real = await realpath(path).catch((error: NodeJS.ErrnoException) => error);
  if (typeof real !== 'string') {
    // Whether something is there is told only of the places that may be looked into.
    const asked = resolve(path);
    return [...roots, ...place.roots].some((root) => isBelow(asked, root))
      ? { kind: 'missing', found: real.code ?? real.message }
      : { kind: 'outside' };
  }
  if (!roots.some((root) => isBelow(real, root)) || (await liesIn(real, place.never)))
    return { kind: 'outside' };
  const handle = await open(real, FLAGS).catch((error: NodeJS.ErrnoException) => error);
  if (!('fd' in handle)) {
    return handle.code === 'ELOOP' || handle.code === 'EISDIR' || handle.code === 'ENXIO'
      ? { kind: 'not_a_file' }
      : { kind: 'missing', found: handle.code ?? handle.message };
  }
  try {
    const opened = await handle.stat({ bigint: true });
    if (!opened.isFile()) {
      await handle.close();
      return { kind: 'not_a_file' };
    }
    const [again, there] = await Promise.all([
      realOrNull(path),
      lstat(real, { bigint: true }).catch(() => null),
    ]);
    if (again !== real || there === null || !same(there, opened) || (await liesIn(real, place.never))) {
      await handle.close();
      return { kind: 'outside' };
    }
    return { kind: 'open', handle, real, size: Number(opened.size), names: Number(opened.nlink) };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** A file has become shorter since it was opened. */
export class ShortFileError extends Error {
  override name = 'ShortFileError';
}

/**
 * Bytes `from` to `to` (exclusive) of an open file. Throws `ShortFileError` when it ends before. With `room` every chunk is a part
 * of it, good until the next one is asked for: gigabytes of garbage are collected later than they are made.
 */
export async function* readRange(
  handle: FileHandle,
  from: number,
  to: number,
  room?: Buffer,
): AsyncGenerator<Uint8Array> {
  for (let at = from; at < to; ) {
    const buffer = room ?? Buffer.allocUnsafe(CHUNK_BYTES);
    const { bytesRead } = await handle.read(buffer, 0, Math.min(buffer.length, to - at), at);
    if (bytesRead === 0) throw new ShortFileError(`expected ${to} bytes in the file, found ${at}`);
    at += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}

export function isBelow(path: string, folder: string): boolean {
  return path.startsWith(folder.endsWith(sep) ? folder : folder + sep);
}

async function realOrNull(path: string): Promise<string | null> {
  return realpath(path).catch(() => null);
}

/** By identity, not by name: a bind mount or another case of letters is another name of the same folder. */
async function liesIn(real: string, folders: readonly string[]): Promise<boolean> {
  const found = await Promise.all(folders.map((folder) => stat(folder, { bigint: true }).catch(() => null)));
  const known = found.filter((each) => each !== null);
  for (let at = real; ; at = dirname(at)) {
    const here = await stat(at, { bigint: true }).catch(() => null);
    if (here !== null && known.some((each) => same(each, here))) return true;
    if (dirname(at) === at) return false;
  }
}

function same(one: BigIntStats, other: BigIntStats): boolean {
  return one.dev === other.dev && one.ino === other.ino;
}
