import { createPrivateKey, createPublicKey } from 'node:crypto';
import { join } from 'node:path';
import { PrivateJwk } from '../schemas/jws.ts';
import { writeFileAtomically } from '../system/atomic-file.ts';
import { readSmallFile } from '../system/small-file.ts';
import { newKey } from './ceremony/new-key.ts';
import { parseStrictJson } from './strict-json.ts';
import { thumbprint } from './thumbprint.ts';

const DEVICE_KEY_FILE = 'device.jwk';
const MAX_BYTES = 4_096;

/** The device key cannot be used. A message of this class never holds any of the key. */
export class DeviceKeyError extends Error {
  override readonly name = 'DeviceKeyError';
}

export type DeviceKey = PrivateJwk & { readonly kid: string };

/**
 * The key in `<credentials_dir>/device.jwk`, or null when there is none. Throws `DeviceKeyError` when others may read the file
 * (POSIX modes; as ssh does), or when it holds anything but a private Ed25519 JWK whose halves belong together.
 */
export async function loadDeviceKey(credentialsDir: string): Promise<DeviceKey | null> {
  const path = join(credentialsDir, DEVICE_KEY_FILE);
  const file = await readSmallFile(path, MAX_BYTES);
  if (file.kind === 'absent') return null;
  if (file.kind === 'too_large') throw new DeviceKeyError(`${path}: expected at most ${MAX_BYTES} bytes`);
  if (process.platform !== 'win32' && (file.mode & 0o077) !== 0) {
    const found = file.mode.toString(8).padStart(4, '0');
    throw new DeviceKeyError(`${path}: expected mode 0600, found ${found}; run chmod 600 on it`);
  }
  const json = parseStrictJson(file.bytes);
  const parsed = json.kind === 'parsed' ? PrivateJwk.safeParse(json.value) : null;
  if (parsed?.success !== true || !halvesMatch(parsed.data)) {
    throw new DeviceKeyError(
      `${path}: expected a private Ed25519 key as JWK (kty OKP, crv Ed25519, x, d), found something else; restore it, or enrol this agent again`,
    );
  }
  const { kty, crv, x, d } = parsed.data;
  return { kty, crv, x, d, kid: thumbprint({ kty, crv, x }) };
}

/**
 * The device key, made now if there is none: enrolling again with the same token must present the same key (contract,
 * section 7). Durable, with mode 0600, before it is used for the first time.
 */
export async function loadOrCreateDeviceKey(credentialsDir: string): Promise<DeviceKey> {
  const found = await loadDeviceKey(credentialsDir);
  if (found !== null) return found;
  const key = newKey();
  const path = join(credentialsDir, DEVICE_KEY_FILE);
  await writeFileAtomically(path, `${JSON.stringify(key, null, 2)}\n`, { mode: 0o600 });
  return key;
}

/** True when `d` belongs to `x`: a key whose halves differ makes signatures nobody can check. */
export function halvesMatch({ kty, crv, x, d }: PrivateJwk): boolean {
  try {
    const derived = createPublicKey(createPrivateKey({ key: { kty, crv, x, d }, format: 'jwk' }));
    return derived.export({ format: 'jwk' }).x === x;
  } catch {
    return false;
  }
}
