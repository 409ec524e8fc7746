import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { DeviceKeyPlace, DeviceKeyStoreKind } from '../schemas/device-key-place.ts';
import { writeFileAtomically } from '../system/atomic-file.ts';
import { readSmallFile } from '../system/small-file.ts';
import { newKey } from './ceremony/new-key.ts';
import { type DeviceKey, DeviceKeyError } from './device-key.ts';
import { createDataProtectionSealer } from './key-stores/data-protection.ts';
import { createFileKeyStore } from './key-stores/file.ts';
import { createKeychainStore } from './key-stores/keychain.ts';
import { DEVICE_KEY_SLOTS, type DeviceKeySlot, type DeviceKeyStore } from './key-stores/port.ts';
import { createSealedKeyStore } from './key-stores/sealed-file.ts';
import { createSecretServiceStore } from './key-stores/secret-service.ts';
import { createSystemdSealer } from './key-stores/systemd-credentials.ts';

const PLACE_FILE = 'device-key.json';
const PLACE_MAX_BYTES = 4_096;
/** What a person may ask for: a store, or `auto`, the one this platform has. Unset: a key that is there stays where it is. */
export const KEYSTORE_VARIABLE = 'EDGE_AGENT_KEYSTORE';

type Environment = Readonly<Record<string, string | undefined>>;

/** The key in force; null when there is none. Throws `DeviceKeyError`. */
export async function loadDeviceKey(credentialsDir: string): Promise<DeviceKey | null> {
  return (await deviceKeyStoreOf(credentialsDir)).read('current');
}

/**
 * The device key, made now if there is none: enrolling again with the same token must present the same key (contract,
 * section 7). A new one goes into the keystore of the platform, or into a file of mode 0600 where there is none that works.
 * Durable before it is used for the first time.
 */
export async function loadOrCreateDeviceKey(
  credentialsDir: string,
  environment: Environment = process.env,
): Promise<DeviceKey> {
  const found = await loadDeviceKey(credentialsDir);
  if (found !== null) return found;
  const key = newKey();
  const asked = askedStore(environment);
  const kind = asked === null || asked === 'auto' ? platformStore() : asked;
  if (kind !== 'file') {
    try {
      await keepIn(credentialsDir, kind, [['current', key]]);
      return key;
    } catch (error) {
      // who named a store wants that one; the platform's own is taken where it works
      if (!(error instanceof DeviceKeyError) || asked === kind) throw error;
    }
  }
  // a place that names a keystore without a key in it would hide the one that is made now
  if ((await readPlace(credentialsDir)) === null)
    await createFileKeyStore(credentialsDir).write('current', key);
  else await keepIn(credentialsDir, 'file', [['current', key]]);
  return key;
}

/** The store that `credentials_dir` names in `device-key.json`; without one, its files. Changes nothing. Throws `DeviceKeyError`. */
export async function deviceKeyStoreOf(credentialsDir: string): Promise<DeviceKeyStore> {
  const place = await readPlace(credentialsDir);
  return place === null
    ? createFileKeyStore(credentialsDir)
    : openStore(credentialsDir, place.store, place.item);
}

export type KeysSettled =
  | { readonly kind: 'stayed' }
  | { readonly kind: 'moved'; readonly from: string; readonly to: string };

/**
 * Brings the keys to the store that EDGE_AGENT_KEYSTORE asks for; without it they stay. Each is read back from the new store
 * before `device-key.json` names it, and removed from the old one after: a crash in between leaves a copy, which the next call
 * removes. Whoever calls this holds the state lock. Throws `DeviceKeyError`; then nothing was given up.
 */
export async function settleDeviceKeys(
  credentialsDir: string,
  environment: Environment = process.env,
): Promise<KeysSettled> {
  const store = await deviceKeyStoreOf(credentialsDir);
  const asked = askedStore(environment);
  const wanted = asked === 'auto' ? platformStore() : (asked ?? store.kind);
  if (wanted === store.kind) {
    if (store.kind !== 'file') await removeCopies(credentialsDir, store);
    return { kind: 'stayed' };
  }
  const kept = await keysOf(store);
  if (kept.length === 0) return { kind: 'stayed' };
  const to = await keepIn(credentialsDir, wanted, kept);
  for (const [slot] of kept) await store.remove(slot);
  return { kind: 'moved', from: store.kind, to: to.kind };
}

/** The keystore of this platform that an agent can open without anybody; `file` when it has none. */
export function platformStore(): DeviceKeyStoreKind {
  switch (process.platform) {
    case 'darwin':
      return 'keychain';
    case 'win32':
      return 'dpapi';
    case 'linux':
      // the host's secret of a container without systemd goes with the container, and would take the key along
      return process.getuid?.() === 0 && existsSync('/run/systemd/system') ? 'systemd-creds' : 'file';
    default:
      return 'file';
  }
}

function askedStore(environment: Environment): DeviceKeyStoreKind | 'auto' | null {
  const asked = environment[KEYSTORE_VARIABLE];
  if (asked === undefined || asked === '') return null;
  if (asked === 'auto') return asked;
  const kind = DeviceKeyStoreKind.safeParse(asked);
  if (kind.success) return kind.data;
  const known = ['auto', ...DeviceKeyStoreKind.options].join(', ');
  throw new DeviceKeyError(`${KEYSTORE_VARIABLE}: expected one of ${known}, found ${JSON.stringify(asked)}`);
}

type Kept = readonly (readonly [DeviceKeySlot, DeviceKey])[];

async function keysOf(store: DeviceKeyStore): Promise<Kept> {
  const kept: [DeviceKeySlot, DeviceKey][] = [];
  for (const slot of DEVICE_KEY_SLOTS) {
    const key = await store.read(slot);
    if (key !== null) kept.push([slot, key]);
  }
  return kept;
}

/** Kept and read back first; the place is named last. */
async function keepIn(credentialsDir: string, kind: DeviceKeyStoreKind, keys: Kept): Promise<DeviceKeyStore> {
  const item = randomBytes(16).toString('hex');
  const store = openStore(credentialsDir, kind, item);
  for (const [slot, key] of keys) await store.write(slot, key);
  const place: DeviceKeyPlace = { format: 1, store: kind, item };
  await writeFileAtomically(join(credentialsDir, PLACE_FILE), `${JSON.stringify(place, null, 2)}\n`, {
    mode: 0o600,
  });
  return store;
}

/** What a crash left in files while the keys moved elsewhere; a file with another key is not touched. */
async function removeCopies(credentialsDir: string, store: DeviceKeyStore): Promise<void> {
  const files = createFileKeyStore(credentialsDir);
  for (const slot of DEVICE_KEY_SLOTS) {
    const copy = await files.read(slot).catch(() => null);
    if (copy !== null && (await store.read(slot))?.kid === copy.kid) await files.remove(slot);
  }
}

async function readPlace(credentialsDir: string): Promise<DeviceKeyPlace | null> {
  const path = join(credentialsDir, PLACE_FILE);
  const file = await readSmallFile(path, PLACE_MAX_BYTES);
  if (file.kind === 'absent') return null;
  try {
    if (file.kind === 'too_large') throw new Error('too large');
    return DeviceKeyPlace.parse(JSON.parse(Buffer.from(file.bytes).toString('utf8')));
  } catch (cause) {
    const message = `${path}: expected where the device key is kept, found something else; restore it from a backup, or remove it and enrol this agent again`;
    throw new DeviceKeyError(message, { cause });
  }
}

function openStore(credentialsDir: string, kind: DeviceKeyStoreKind, item: string): DeviceKeyStore {
  switch (kind) {
    case 'file':
      return createFileKeyStore(credentialsDir);
    case 'systemd-creds':
      return createSealedKeyStore(credentialsDir, createSystemdSealer());
    case 'dpapi':
      return createSealedKeyStore(credentialsDir, createDataProtectionSealer());
    case 'secret-service':
      return createSecretServiceStore(item);
    case 'keychain': {
      const keychain = process.getuid?.() === 0 ? '/Library/Keychains/System.keychain' : null;
      return createKeychainStore(item, { keychain });
    }
  }
}
