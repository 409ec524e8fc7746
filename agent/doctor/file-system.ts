import { existsSync, statfsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, open, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { takeExclusively } from '../../system/exclusive-file.ts';
import { type Finding, fail, ok, warn } from './check.ts';

/** `f_type` of statfs(2), of file systems that people meet. */
const KINDS: Readonly<Record<number, string>> = {
  0xef53: 'ext4',
  0x58465342: 'xfs',
  0x9123683e: 'btrfs',
  0x2fc12fc1: 'zfs',
  0x01021994: 'tmpfs',
  0x794c7630: 'overlay',
  0x65735546: 'fuse',
  0x6969: 'nfs',
  0xff534d42: 'smb',
  0xfe534d42: 'smb',
  0x517b: 'smb',
  0x01021997: '9p',
  0x00c36400: 'ceph',
  0x4d44: 'vfat',
  0x5346544e: 'ntfs',
};
const NETWORK: ReadonlySet<string> = new Set(['nfs', 'smb', 'ceph', '9p']);

/** The nearest folder that is there: before the first start the state directory is not, and looking makes none. */
export function nearest(path: string): string {
  return existsSync(path) || dirname(path) === path ? path : nearest(dirname(path));
}

export function kindFinding(folder: string): Finding {
  const name = 'state.file_system';
  const expected = 'a file system of this machine';
  if (process.platform !== 'linux') return ok(name, `${folder} (its kind is not asked here)`, expected);
  const { type } = statfsSync(folder);
  const kind = KINDS[type] ?? `0x${type.toString(16)}`;
  if (NETWORK.has(kind))
    return fail(name, `${folder} is on ${kind}`, expected, 'set edge_cache_dir to a local disk');
  if (kind === 'tmpfs')
    return warn(
      name,
      `${folder} is on tmpfs: lost at every boot`,
      expected,
      'set edge_cache_dir to a local disk',
    );
  if (kind === 'fuse' || kind === 'vfat')
    return warn(name, `${folder} is on ${kind}`, expected, 'a local disk of the system keeps its promises');
  return ok(name, `${folder} is on ${kind}`, expected);
}

export function spaceFindings(folder: string): Finding[] {
  const { bavail, bsize, ffree, files } = statfsSync(folder);
  const free = bavail * bsize;
  const gib = `${(free / 2 ** 30).toFixed(1)} GiB`;
  const space = { name: 'state.space', expected: 'at least 1 GiB free' };
  const inodes = { name: 'state.inodes', expected: 'at least 10,000 files more' };
  const advice = 'make room, or lower retention.max_bytes';
  const spaceFinding =
    free < 64 * 2 ** 20
      ? fail(space.name, `${gib} free`, space.expected, advice)
      : free < 2 ** 30
        ? warn(space.name, `${gib} free`, space.expected, advice)
        : ok(space.name, `${gib} free`, space.expected);
  // 0 of 0: a file system that counts none, such as btrfs
  if (files === 0) return [spaceFinding];
  const left = `${ffree} of ${files} left`;
  const inodeFinding =
    ffree === 0
      ? fail(inodes.name, left, inodes.expected, 'remove files')
      : ffree < 10_000
        ? warn(inodes.name, left, inodes.expected, 'remove files')
        : ok(inodes.name, left, inodes.expected);
  return [spaceFinding, inodeFinding];
}

/** Tries, in a folder of its own that is removed, what the crash protocol counts on. */
export async function probeFolder(folder: string): Promise<Finding[]> {
  const expected = 'a folder this account may write to';
  let probe: string;
  try {
    probe = await mkdtemp(join(folder, '.edge-agent-doctor-'));
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const found = `${folder}: ${code ?? message}`;
    return [fail('state.writable', found, expected, 'run the command as the account of the agent')];
  }
  try {
    return [
      ok('state.writable', folder, expected),
      await attempt(
        'state.rename',
        'a file replaces another in one step',
        'replaces a file in one step',
        () => replaces(probe),
      ),
      await attempt('state.fsync', 'what is written can be made durable', 'makes files durable', () =>
        syncs(probe),
      ),
      await directorySync(probe),
      await modes(probe),
      await caseFolding(probe),
      await attempt(
        'state.lock_works',
        'one process can hold a file alone',
        'holds a lock against a second one',
        () => locks(probe),
      ),
    ];
  } finally {
    await rm(probe, { recursive: true, force: true });
  }
}

async function attempt(
  name: string,
  expected: string,
  done: string,
  work: () => Promise<void>,
): Promise<Finding> {
  try {
    await work();
    return ok(name, done, expected);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    return fail(name, code ?? message, expected, 'set edge_cache_dir to a local disk of the system');
  }
}

async function replaces(probe: string): Promise<void> {
  await writeFile(join(probe, 'new'), 'new');
  await writeFile(join(probe, 'old'), 'old');
  await rename(join(probe, 'new'), join(probe, 'old'));
  await mkdir(join(probe, 'a'));
  await rename(join(probe, 'a'), join(probe, 'b'));
}

async function syncs(probe: string): Promise<void> {
  const file = await open(join(probe, 'synced'), 'wx', 0o600);
  try {
    await file.writeFile('x');
    await file.sync();
  } finally {
    await file.close();
  }
}

async function directorySync(probe: string): Promise<Finding> {
  const name = 'state.directory_fsync';
  const expected = 'names can be made durable (fsync of a directory)';
  if (process.platform === 'win32')
    return warn(name, 'Windows has no such call: NTFS journals its names', expected, null);
  try {
    const directory = await open(probe, 'r');
    try {
      await directory.sync();
    } finally {
      await directory.close();
    }
    return ok(name, 'makes names durable (fsync of a directory)', expected);
  } catch (error) {
    const found = `${(error as NodeJS.ErrnoException).code}: a power cut may bring back an older state`;
    return warn(name, found, expected, 'set edge_cache_dir to a local disk of the system');
  }
}

async function modes(probe: string): Promise<Finding> {
  const name = 'state.modes';
  const expected = 'modes of files hold (0600 keeps others out)';
  if (process.platform === 'win32')
    return warn(name, 'Windows has no modes: the rights of the folder count', expected, null);
  const file = join(probe, 'mode');
  await writeFile(file, '', { mode: 0o600 });
  await chmod(file, 0o600);
  const found = (await stat(file)).mode & 0o777;
  if (found === 0o600) return ok(name, '0600 is kept', expected);
  const shown = found.toString(8).padStart(4, '0');
  return warn(name, `0600 became ${shown}`, expected, 'set edge_cache_dir to a disk of the system');
}

async function caseFolding(probe: string): Promise<Finding> {
  const name = 'state.case';
  const expected = 'names that differ by case are different files';
  await writeFile(join(probe, 'Name'), '');
  const folds = existsSync(join(probe, 'nAME'));
  if (!folds) return ok(name, 'file names differ by case', expected);
  // versions are compared case-folded, so nothing goes wrong; bundles made elsewhere may hold such names
  return warn(name, 'Name and nAME are one file', expected, null);
}

async function locks(probe: string): Promise<void> {
  const held = takeExclusively(join(probe, 'lock'));
  if (held === null) throw new Error('it was held at once');
  try {
    const again = takeExclusively(join(probe, 'lock'));
    again?.release();
    if (again !== null) throw new Error('two hold it');
  } finally {
    held.release();
  }
}
