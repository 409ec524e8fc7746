import type { DeviceKeyStoreKind } from '../../schemas/device-key-place.ts';
import { type DeviceKey, DeviceKeyError } from '../device-key.ts';

/** `next` lives while the key is changed, until the console has said that it is in force. */
export const DEVICE_KEY_SLOTS = ['current', 'next'] as const;
export type DeviceKeySlot = (typeof DEVICE_KEY_SLOTS)[number];

/** One place that keeps device keys. Everything throws `DeviceKeyError`, whose message holds nothing of a key. */
export interface DeviceKeyStore {
  readonly kind: DeviceKeyStoreKind;
  /** For people: the file or the item of a slot. */
  place(slot: DeviceKeySlot): string;
  /** Null when none is kept there. Throws when one is and cannot be read: locked, damaged, open to others. */
  read(slot: DeviceKeySlot): Promise<DeviceKey | null>;
  /** Replaces what the slot holds in one step; it has been read back when this resolves. */
  write(slot: DeviceKeySlot, key: DeviceKey): Promise<void>;
  /** Nothing to remove is fine. */
  remove(slot: DeviceKeySlot): Promise<void>;
}

/** A key is never given up for one that cannot be read again. */
export async function expectKept(store: DeviceKeyStore, slot: DeviceKeySlot, key: DeviceKey): Promise<void> {
  const found = await store.read(slot);
  if (found !== null && found.kid === key.kid && found.d === key.d) return;
  throw new DeviceKeyError(
    `${store.place(slot)}: expected to read back the device key that was written, found ${found === null ? 'none' : 'another one'}`,
  );
}
