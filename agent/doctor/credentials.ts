import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { DeviceKeyError } from '../../trust/device-key.ts';
import { deviceKeyStoreOf, KEYSTORE_VARIABLE, platformStore } from '../../trust/device-keys.ts';
import { createCredentials } from '../credentials.ts';
import { type Check, type Finding, fail, ok, warn } from './check.ts';
import type { Patient } from './patient.ts';

const POSIX = process.platform !== 'win32';

/** `credentials_dir`: who may read it, and whether what is in it can be used. Nothing of a secret is told, nor its length. */
export function credentialChecks(patient: Patient): Check[] {
  const folder = patient.paths.credentials;
  const needed = patient.loaded.config.saas_url !== undefined;
  const group = 'credentials';
  return [
    {
      group,
      name: 'credentials.folder',
      code: 4,
      expected: 'a folder of this account that nobody else may open (0700)',
      run: () => folderFinding(folder, needed),
    },
    {
      group,
      name: 'credentials.files',
      code: 4,
      expected: 'files of this account that nobody else may read (0600)',
      run: () => fileFindings(folder),
    },
    {
      group,
      name: 'credentials.device_key',
      code: 4,
      expected: 'a private Ed25519 key that can be read',
      // a cold PowerShell takes its time
      deadlineMs: 60_000,
      run: () => deviceKeyFinding(folder, needed),
    },
    {
      group,
      name: 'credentials.tokens',
      code: 4,
      expected: 'what is there can be read',
      run: () => tokenFindings(folder),
    },
  ];
}

async function folderFinding(folder: string, needed: boolean): Promise<Finding> {
  const name = 'credentials.folder';
  const expected = 'a folder of this account that nobody else may open (0700)';
  const found = await lstat(folder).catch(() => null);
  if (found === null)
    return needed
      ? fail(name, `${folder}: none`, expected, 'run edge-agent enroll')
      : ok(name, `${folder}: none, and none needed without saas_url`, expected);
  if (!found.isDirectory()) return fail(name, `${folder}: no folder`, expected, 'move it out of the way');
  if (!POSIX)
    return warn(
      name,
      `${folder} (this system has no such modes)`,
      expected,
      'let only this account and administrators open it',
    );
  const mode = found.mode & 0o777;
  if (found.uid !== process.getuid?.())
    return fail(name, `${folder}: of uid ${found.uid}`, expected, 'run the command as that account');
  if ((mode & 0o077) === 0) return ok(name, `${folder} (${octal(mode)})`, expected);
  return warn(name, `${folder}: mode ${octal(mode)}`, expected, `chmod 700 ${folder}`);
}

async function fileFindings(folder: string): Promise<Finding> {
  const name = 'credentials.files';
  const expected = 'files of this account that nobody else may read (0600)';
  const names = await readdir(folder).catch(() => []);
  if (!POSIX || names.length === 0) return ok(name, `${names.length} files`, expected);
  const open: string[] = [];
  for (const file of names) {
    const found = await lstat(join(folder, file)).catch(() => null);
    if (found === null || file.endsWith('.bak')) continue;
    if (!found.isFile()) open.push(`${file} is no file`);
    else if (found.uid !== process.getuid?.()) open.push(`${file} is of uid ${found.uid}`);
    else if ((found.mode & 0o077) !== 0) open.push(`${file} has mode ${octal(found.mode & 0o777)}`);
  }
  if (open.length === 0) return ok(name, `${names.length} files`, expected);
  return fail(name, open.join(', '), expected, `chmod 600 ${join(folder, '*')}, as the account of the agent`);
}

async function deviceKeyFinding(folder: string, wanted: boolean): Promise<Finding> {
  const name = 'credentials.device_key';
  const expected = 'a private Ed25519 key that can be read';
  try {
    const store = await deviceKeyStoreOf(folder);
    const key = await store.read('current');
    if (key === null) {
      const found = `${store.place('current')}: none`;
      return wanted
        ? fail(name, found, expected, 'run edge-agent enroll')
        : ok(name, `${found}, and none needed without saas_url`, expected);
    }
    const better = store.kind === 'file' && platformStore() !== 'file';
    const hint = better ? `; ${KEYSTORE_VARIABLE}=auto moves it into ${platformStore()}` : '';
    return ok(name, `${key.kid} in ${store.kind}: ${store.place('current')}${hint}`, expected);
  } catch (error) {
    if (!(error instanceof DeviceKeyError)) throw error;
    return fail(name, error.message, expected, null);
  }
}

async function tokenFindings(folder: string): Promise<Finding[]> {
  const credentials = createCredentials(folder, true);
  const look = async (name: string, what: string, read: () => Promise<boolean>): Promise<Finding> => {
    const expected = `${what} that can be read, or none`;
    try {
      return ok(name, (await read()) ? 'there' : 'none', expected);
    } catch (error) {
      return fail(name, (error as Error).message, expected, null);
    }
  };
  return Promise.all([
    look('credentials.git_token', 'git-token', async () => (await credentials.gitToken()) !== null),
    look('credentials.artifacts', 'artifacts.json', async () => (await credentials.artifacts()) !== null),
    look(
      'credentials.secrets',
      'secrets.yaml',
      async () => Object.keys(await credentials.secrets()).length > 0,
    ),
  ]);
}

function octal(mode: number): string {
  return mode.toString(8).padStart(4, '0');
}
