import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';

/** A pipe would wait for a writer; a link would lead to what the agent may read and the flow may not. */
const FLAGS = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);
const NOT_A_LOG = ['ENOENT', 'ELOOP', 'EMLINK', 'ENXIO', 'EISDIR'];

/**
 * Opens what a run printed. A flow that has the account of the agent may put something else in its place: null then, and when it
 * is not there yet. The caller closes it.
 */
export async function openRunLog(path: string): Promise<FileHandle | null> {
  const file = await open(path, FLAGS).catch((error: NodeJS.ErrnoException) => {
    if (NOT_A_LOG.includes(error.code ?? '')) return null;
    throw error;
  });
  if (file === null) return null;
  const found = await file.stat();
  // A second name of a file may be a name of anything the account owns.
  if (found.isFile() && found.nlink === 1) return file;
  await file.close();
  return null;
}
