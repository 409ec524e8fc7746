import { chmod, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { EnrolAnswer } from '../schemas/enrolment.ts';
import { newKey } from '../trust/ceremony/new-key.ts';
import { type DeviceKey, DeviceKeyError } from '../trust/device-key.ts';
import { deviceKeyStoreOf, loadDeviceKey, loadOrCreateDeviceKey } from '../trust/device-keys.ts';
import { writeGiven } from './key-files.ts';
import { OperationError } from './operation-error.ts';
import { looksLikeTufRoot } from './tuf-root.ts';

/** Under which name the root of an answer is kept. */
export function rootFileOf(root: string): string {
  return looksLikeTufRoot(root) ? 'root.json' : 'root.jws.json';
}

/** Made before the first call: whoever repeats an enrolment must present the same key. */
export async function deviceKey(
  credentialsDir: string,
  onMade: (place: string) => void = () => {},
): Promise<DeviceKey> {
  await makeFolder(credentialsDir, 0o700);
  try {
    const before = await loadDeviceKey(credentialsDir);
    if (before !== null) return before;
    const made = await loadOrCreateDeviceKey(credentialsDir);
    onMade((await deviceKeyStoreOf(credentialsDir)).place('current'));
    return made;
  } catch (error) {
    if (error instanceof DeviceKeyError) {
      throw new OperationError('key_unusable', error.message, { exitCode: 4, cause: error });
    }
    throw cannotWrite(credentialsDir, error);
  }
}

/** Another key for a machine whose own may not come back; the same one when the enrolment is repeated. `fresh`: one that nobody has seen. */
export async function otherDeviceKey(credentialsDir: string, fresh: boolean): Promise<DeviceKey | null> {
  const store = await deviceKeyStoreOf(credentialsDir);
  if (!fresh) return store.read('next');
  const key = newKey();
  await store.write('next', key);
  return key;
}

/** The key that was enrolled becomes the one in force. */
export async function keepDeviceKey(key: DeviceKey, credentialsDir: string): Promise<void> {
  const store = await deviceKeyStoreOf(credentialsDir);
  if ((await store.read('current'))?.kid === key.kid) return;
  await store.write('current', key);
  await store.remove('next');
}

/** Each file whole or not at all, readable by this account alone. */
export async function keepCredentials(
  { root, git, artifacts }: EnrolAnswer,
  directory: string,
): Promise<void> {
  await writeGiven(join(directory, rootFileOf(root)), root, 0o600);
  if (git.token != null) await writeGiven(join(directory, 'git-token'), `${git.token}\n`, 0o600);
  const { access_key, secret_key } = artifacts ?? {};
  if (access_key == null || secret_key == null) return;
  await writeGiven(
    join(directory, 'artifacts.json'),
    `${JSON.stringify({ access_key, secret_key }, null, 2)}\n`,
    0o600,
  );
}

/** A folder with those above it. Of mode 0700, one that was there is closed to others too. */
export async function makeFolder(path: string, mode: number): Promise<void> {
  try {
    await mkdir(path, { recursive: true, mode });
    // one that was there before, such as from an installer, may be open to others
    if (mode === 0o700 && process.platform !== 'win32') await chmod(path, mode);
  } catch (error) {
    throw cannotWrite(path, error);
  }
}

function cannotWrite(path: string, error: unknown): OperationError {
  const { code, message } = error as NodeJS.ErrnoException;
  const full = code === 'ENOSPC' || code === 'EDQUOT';
  return new OperationError(
    full ? 'disk_full' : 'usage',
    `${path}: expected a folder that can be written: ${message}`,
    {
      exitCode: full ? 5 : 2,
      cause: error,
    },
  );
}
