import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { Sha256, Timestamp } from '../schemas/names.ts';

/** The file whose presence says that a version is whole: written last, inside the version. */
export const COMPLETE_FILE = '.complete';
const MARK_MAX_BYTES = 4_096;
/** A pipe in its place would wait for a writer, and the agent with it. */
const OPEN_FLAGS = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);

export const CompleteMark = z.object({
  format: z.literal(1),
  /** Of the bundle it was unpacked from. */
  sha256: Sha256,
  /** Of the unpacked tree (tree-hash.ts). */
  tree_sha256: Sha256,
  files: z.int().min(0),
  bytes: z.int().min(0),
  unpacked_at: Timestamp,
});
export type CompleteMark = z.infer<typeof CompleteMark>;

/**
 * The mark of the version in `folder`; null when there is none, or none that can be believed. Throws the system's error when
 * it cannot be read: a version must not be taken for half-unpacked because its disk failed for a moment. Synchronous: the
 * kernel answers in microseconds, and a look at a thousand versions would spend ten times as long on promises.
 */
export function readCompleteMark(folder: string): CompleteMark | null {
  const text = readMarkText(join(folder, COMPLETE_FILE));
  if (text === null) return null;
  try {
    return CompleteMark.parse(JSON.parse(text));
  } catch {
    return null;
  }
}

function readMarkText(path: string): string | null {
  let file: number;
  try {
    file = openSync(path, OPEN_FLAGS);
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'ELOOP', 'ENXIO'].includes((error as NodeJS.ErrnoException).code ?? ''))
      return null;
    throw error;
  }
  try {
    if (!fstatSync(file).isFile()) return null;
    const buffer = Buffer.allocUnsafe(MARK_MAX_BYTES);
    return buffer.toString('utf8', 0, readSync(file, buffer, 0, MARK_MAX_BYTES, 0));
  } finally {
    closeSync(file);
  }
}

/** Not yet durable. */
export async function writeCompleteMark(folder: string, mark: CompleteMark): Promise<void> {
  await writeFile(join(folder, COMPLETE_FILE), `${JSON.stringify(mark)}\n`, { flag: 'wx', mode: 0o444 });
}
