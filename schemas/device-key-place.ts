import { z } from 'zod';

/** Who keeps the device key of an agent. */
export const DeviceKeyStoreKind = z.enum(['file', 'systemd-creds', 'secret-service', 'keychain', 'dpapi']);
export type DeviceKeyStoreKind = z.infer<typeof DeviceKeyStoreKind>;

/**
 * `credentials_dir/device-key.json`: where the device key is when it is not the file `device.jwk`. No secret. `item` tells the keys
 * of several agents of one account apart.
 */
export const DeviceKeyPlace = z.strictObject({
  format: z.literal(1),
  store: DeviceKeyStoreKind,
  item: z.string().regex(/^[0-9a-f]{32}$/),
});
export type DeviceKeyPlace = z.infer<typeof DeviceKeyPlace>;
