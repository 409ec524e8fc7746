import { chmod, lstat, readdir, rm, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { runHelper } from './system-program.ts';

const EMPTY_TIMEOUT_MS = 5 * 60_000;
/** In the folder itself: the way to it may be closed to the account. */
const EMPTY = 'chmod -R u+rwx .; find . -mindepth 1 -delete';

/**
 * Removes a folder of the agent's with all that is in it, also what is read-only; a link itself, never what it names. Root
 * goes into no folder that another account can change: a process of that account could put a link in the place of a folder in
 * it. That account empties it, and root takes the empty folder away. False when something is left. Whoever calls must know
 * that only the agent can change the folder that `path` lies in.
 */
export async function removeTree(path: string): Promise<boolean> {
  const found = await lstat(path).catch(absent);
  if (found?.isDirectory() === true) {
    const gone = isOfOthers(found.uid) ? await removeAs(found, path) : await clearOfOthers(path);
    if (!gone) return false;
  }
  await rm(path, { recursive: true, force: true });
  return true;
}

/** Only root has folders of others in its own, and they are not its to trust. */
export function isOfOthers(uid: number): boolean {
  return process.getuid?.() === 0 && uid !== 0;
}

/** From here on nobody else can change what is in it, however open it was. False when something of another account is left. */
async function clearOfOthers(folder: string): Promise<boolean> {
  // Whose folders are read-only cannot be emptied by an ordinary account either.
  await chmod(folder, 0o700).catch(() => undefined);
  let clear = true;
  for (const entry of (await readdir(folder, { withFileTypes: true }).catch(absent)) ?? []) {
    if (!entry.isDirectory()) continue;
    const path = join(folder, entry.name);
    const owner = await lstat(path).catch(absent);
    if (owner === null) continue;
    if (!(await (isOfOthers(owner.uid) ? removeAs(owner, path) : clearOfOthers(path)))) clear = false;
  }
  return clear;
}

async function removeAs({ uid, gid }: { uid: number; gid: number }, path: string): Promise<boolean> {
  if (await removeEmpty(path)) return true;
  await chmod(path, 0o700);
  // Node goes to `cwd` before it becomes the account.
  await runHelper('/bin/sh', ['-c', EMPTY], {
    uid,
    gid,
    cwd: path,
    env: { PATH: '/usr/bin:/bin' },
    timeoutMs: EMPTY_TIMEOUT_MS,
  });
  return removeEmpty(path);
}

/** What is gone already, as flows that share the agent's account may see to. */
function absent(error: NodeJS.ErrnoException): null {
  if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return null;
  throw error;
}

function removeEmpty(path: string): Promise<boolean> {
  return rmdir(path).then(
    () => true,
    (error: NodeJS.ErrnoException) => error.code === 'ENOENT',
  );
}
