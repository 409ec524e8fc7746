import { rm } from 'node:fs/promises';
import { syncDirectory, writeFileAtomically } from '../../system/atomic-file.ts';
import { readSmallFile } from '../../system/small-file.ts';
import { type DeviceKey, DeviceKeyError, deviceKeyDocument, parseDeviceKey } from '../device-key.ts';
import { deviceKeyFile } from './file.ts';
import { type DeviceKeySlot, type DeviceKeyStore, expectKept } from './port.ts';

const SEALED_MAX_BYTES = 65_536;

/** Makes text of a secret that this machine alone can open again. Both reject with `DeviceKeyError`. */
export interface Sealer {
  readonly kind: 'systemd-creds' | 'dpapi';
  /** Of the files it makes. */
  readonly suffix: string;
  seal(secret: Uint8Array): Promise<string>;
  open(sealed: Uint8Array, place: string): Promise<Uint8Array>;
}

/**
 * Device keys in files of the credentials folder that only this machine can open: a copy of the folder, such as a backup, is no key.
 */
export function createSealedKeyStore(credentialsDir: string, sealer: Sealer): DeviceKeyStore {
  const place = (slot: DeviceKeySlot) => deviceKeyFile(credentialsDir, slot, sealer.suffix);
  const store: DeviceKeyStore = {
    kind: sealer.kind,
    place,
    async read(slot) {
      const file = await readSmallFile(place(slot), SEALED_MAX_BYTES);
      if (file.kind === 'absent') return null;
      if (file.kind === 'too_large')
        throw new DeviceKeyError(`${place(slot)}: expected at most ${SEALED_MAX_BYTES} bytes`);
      return parseDeviceKey(await sealer.open(file.bytes, place(slot)), place(slot));
    },
    async write(slot, key) {
      const sealed = await sealer.seal(Buffer.from(deviceKeyDocument(key)));
      // what cannot be opened again never takes the place of what can
      await expectSame(await sealer.open(Buffer.from(sealed), place(slot)), key, place(slot));
      await writeFileAtomically(place(slot), sealed, { mode: 0o600 });
      await expectKept(store, slot, key);
    },
    async remove(slot) {
      await rm(place(slot), { force: true });
      await syncDirectory(credentialsDir);
    },
  };
  return store;
}

async function expectSame(opened: Uint8Array, key: DeviceKey, place: string): Promise<void> {
  if (parseDeviceKey(opened, place).d !== key.d)
    throw new DeviceKeyError(`${place}: expected to open what was sealed, found another key`);
}
