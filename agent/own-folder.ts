import { lstat } from 'node:fs/promises';
import { OperationError } from './operation-error.ts';

/**
 * Throws `state_unusable` unless the folder of a control socket is a real one, this account's, and not writable to others: in a
 * shared /tmp somebody else may have made it first, to answer in the agent's place. Nothing to check when it is not there.
 */
export async function expectOwnFolder(folder: string): Promise<void> {
  const found = await lstat(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw error;
  });
  if (found === null) return;
  const uid = process.getuid?.();
  if (found.isDirectory() && found.uid === uid && (found.mode & 0o022) === 0) return;
  if (found.isDirectory() && found.uid !== uid && !folder.startsWith('/tmp/')) {
    const message = `${folder}: expected the state of an agent of this account (uid ${uid}), found that of uid ${found.uid}; run the command as that account`;
    throw new OperationError('usage', message, { exitCode: 2 });
  }
  const what = found.isDirectory()
    ? `uid ${found.uid}, mode ${(found.mode & 0o777).toString(8)}`
    : 'no directory';
  const message = `${folder}: expected a folder of uid ${uid} that only it may write to, for the control socket; found ${what}; remove it, or close it: chmod go-w ${folder}`;
  throw new OperationError('state_unusable', message, { exitCode: 4 });
}
