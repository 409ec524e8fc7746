import { createPrivateKey, createPublicKey } from 'node:crypto';
import { PrivateJwk } from '../schemas/jws.ts';
import { parseStrictJson } from './strict-json.ts';
import { thumbprint } from './thumbprint.ts';

/** A device key as a document at most. */
export const DEVICE_KEY_MAX_BYTES = 4_096;

/** The device key cannot be used. A message of this class never holds any of the key. */
export class DeviceKeyError extends Error {
  override readonly name = 'DeviceKeyError';
}

export type DeviceKey = PrivateJwk & { readonly kid: string };

/** The key of a document. Throws `DeviceKeyError` for anything but a private Ed25519 JWK whose halves belong together. */
export function parseDeviceKey(bytes: Uint8Array, place: string): DeviceKey {
  const json = parseStrictJson(bytes);
  const parsed = json.kind === 'parsed' ? PrivateJwk.safeParse(json.value) : null;
  if (parsed?.success !== true || !halvesMatch(parsed.data)) {
    throw new DeviceKeyError(
      `${place}: expected a private Ed25519 key as JWK (kty OKP, crv Ed25519, x, d), found something else; restore it, or remove it and enrol this agent again`,
    );
  }
  const { kty, crv, x, d } = parsed.data;
  return { kty, crv, x, d, kid: thumbprint({ kty, crv, x }) };
}

/** The document of a key, which is a secret. */
export function deviceKeyDocument({ kty, crv, x, d, kid }: DeviceKey): string {
  return `${JSON.stringify({ kty, crv, x, d, kid }, null, 2)}\n`;
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
