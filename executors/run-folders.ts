import { chmod, chown, mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Account } from './account.ts';
import { removeTree } from './folder-removal.ts';

/** Absolute paths inside `<runDirectory>`. */
export interface RunFolders {
  readonly work: string;
  readonly home: string;
  readonly tmp: string;
  readonly output: string;
  readonly input: string;
  readonly stdout: string;
  readonly stderr: string;
}

function runFolders(runDirectory: string): RunFolders {
  return {
    work: join(runDirectory, 'work'),
    home: join(runDirectory, 'home'),
    tmp: join(runDirectory, 'tmp'),
    output: join(runDirectory, 'output'),
    input: join(runDirectory, 'input.json'),
    stdout: join(runDirectory, 'stdout.log'),
    stderr: join(runDirectory, 'stderr.log'),
  };
}

/**
 * Makes the folders of an attempt afresh, 0700, and writes `input.json`. The flow's account owns only what it writes to:
 * the run's folder and the logs stay the agent's, so that a flow cannot put a link where the agent reads later.
 */
export async function makeRunFolders(
  runDirectory: string,
  input: unknown,
  account: Account | null,
): Promise<RunFolders> {
  const folders = runFolders(runDirectory);
  // Another account must pass through to what is its own, and can list nothing.
  const mode = account === null ? 0o700 : 0o711;
  const highest = (await mkdir(runDirectory, { recursive: true, mode })) ?? runDirectory;
  // The umask may have taken away what the account needs.
  for (let made = runDirectory; made.length >= highest.length; made = dirname(made)) await chmod(made, mode);
  // Of a folder used before, when flows had no account of their own.
  if (account !== null) await chmod(dirname(runDirectory), mode);
  for (const file of [folders.stdout, folders.stderr, folders.input]) await rm(file, { force: true });
  for (const folder of [folders.work, folders.home, folders.tmp, folders.output]) {
    if (!(await removeTree(folder)))
      throw new Error(
        `expected to empty ${folder}, found files in it that its owner cannot remove: remove it`,
      );
    await mkdir(folder, { mode: 0o700 });
    if (account !== null) await chown(folder, account.uid, account.gid);
  }
  await writeFile(folders.input, `${JSON.stringify(input === undefined ? {} : input)}\n`, {
    mode: 0o600,
    flag: 'wx',
  });
  if (account !== null) await chown(folders.input, account.uid, account.gid);
  return folders;
}
