import { rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { syncDirectory, writeFileAtomically } from '../../system/atomic-file.ts';
import { readSmallFile } from '../../system/small-file.ts';
import { DEVICE_KEY_MAX_BYTES, DeviceKeyError, deviceKeyDocument, parseDeviceKey } from '../device-key.ts';
import { type DeviceKeySlot, type DeviceKeyStore, expectKept } from './port.ts';

const NAMES: Readonly<Record<DeviceKeySlot, string>> = {
  current: 'device.jwk',
  next: 'device.next.jwk',
};

/** The file of a slot; `suffix` where what it holds is sealed. */
export function deviceKeyFile(credentialsDir: string, slot: DeviceKeySlot, suffix = ''): string {
  return join(credentialsDir, NAMES[slot] + suffix);
}

/**
 * Files of mode 0600 in the credentials folder: everywhere, and what is used where there is nothing better. Refuses, as ssh does, a
 * file that others may read (POSIX modes).
 */
export function createFileKeyStore(credentialsDir: string): DeviceKeyStore {
  const place = (slot: DeviceKeySlot) => deviceKeyFile(credentialsDir, slot);
  const store: DeviceKeyStore = {
    kind: 'file',
    place,
    async read(slot) {
      const path = place(slot);
      const file = await readSmallFile(path, DEVICE_KEY_MAX_BYTES);
      if (file.kind === 'absent') return null;
      if (file.kind === 'too_large')
        throw new DeviceKeyError(`${path}: expected at most ${DEVICE_KEY_MAX_BYTES} bytes`);
      if (process.platform !== 'win32' && (file.mode & 0o077) !== 0) {
        const found = file.mode.toString(8).padStart(4, '0');
        throw new DeviceKeyError(`${path}: expected mode 0600, found ${found}; run chmod 600 on it`);
      }
      return parseDeviceKey(file.bytes, path);
    },
    async write(slot, key) {
      await writeFileAtomically(place(slot), deviceKeyDocument(key), { mode: 0o600 });
      await expectKept(store, slot, key);
    },
    async remove(slot) {
      await rm(place(slot), { force: true });
      await syncDirectory(dirname(place(slot)));
    },
  };
  return store;
}
