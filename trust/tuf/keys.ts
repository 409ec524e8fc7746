import { constants, createPublicKey, type KeyObject, verify } from 'node:crypto';
import type { TufKey } from '../../schemas/tuf.ts';

const RSA_MIN_BITS = 2_048;
/** SubjectPublicKeyInfo before the key itself: RFC 8410 for Ed25519, RFC 5480 for an uncompressed point of P-256. */
const ED25519_SPKI = Buffer.from('302a300506032b6570032100', 'hex');
const P256_SPKI = Buffer.from('3059301306072a8648ce3d020106082a8648ce3d030107034200', 'hex');

interface Verification {
  readonly key: KeyObject;
  /** Null for Ed25519, which has no digest of its own choosing. */
  readonly digest: 'sha256' | 'sha384' | null;
  readonly padding?: number;
  readonly saltLength?: number;
}

/**
 * How signatures of a key are checked, or null for a kind of key that is not known here, or bytes that are no key: it has signed
 * nothing. The kinds are those of the TUF specification, with P-384 and the older names that published repositories use.
 */
export function verificationOf(key: TufKey): Verification | null {
  const { keytype, scheme } = key;
  const text = key.keyval.public;
  switch (keytype) {
    case 'ed25519':
      return scheme === 'ed25519' ? only('ed25519', readKey(text, ED25519_SPKI, 32), null) : null;
    case 'rsa': {
      if (scheme !== 'rsassa-pss-sha256') return null;
      const found = only('rsa', readKey(text, null, 0), 'sha256');
      if (found === null || (found.key.asymmetricKeyDetails?.modulusLength ?? 0) < RSA_MIN_BITS) return null;
      const padding = constants.RSA_PKCS1_PSS_PADDING;
      return { ...found, padding, saltLength: constants.RSA_PSS_SALTLEN_AUTO };
    }
    case 'ecdsa':
    case 'ecdsa-sha2-nistp256':
    case 'ecdsa-sha2-nistp384':
      if (scheme === 'ecdsa-sha2-nistp256')
        return onCurve('prime256v1', readKey(text, P256_SPKI, 65), 'sha256');
      if (scheme === 'ecdsa-sha2-nistp384') return onCurve('secp384r1', readKey(text, null, 0), 'sha384');
      return null;
    default:
      return null;
  }
}

/** True when `signature` (hex) over `bytes` is of the key. */
export function signatureIsOf(
  { key, digest, ...options }: Verification,
  bytes: Uint8Array,
  signature: string,
): boolean {
  if (signature.length % 2 !== 0 || !/^[0-9a-fA-F]+$/.test(signature)) return false;
  try {
    return verify(digest, bytes, { key, ...options }, Buffer.from(signature, 'hex'));
  } catch {
    return false;
  }
}

/** Of the key itself, whatever it is called and however it is written. */
export function fingerprintOf({ key }: Verification): string {
  return key.export({ type: 'spki', format: 'der' }).toString('base64');
}

function readKey(text: string, spki: Buffer | null, bytes: number): KeyObject | null {
  try {
    if (text.trimStart().startsWith('-----BEGIN PUBLIC KEY-----')) return createPublicKey(text);
    if (spki === null || text.length !== bytes * 2 || !/^[0-9a-fA-F]+$/.test(text)) return null;
    const key = Buffer.concat([spki, Buffer.from(text, 'hex')]);
    return createPublicKey({ key, format: 'der', type: 'spki' });
  } catch {
    return null;
  }
}

function only(kind: string, key: KeyObject | null, digest: Verification['digest']): Verification | null {
  return key?.asymmetricKeyType === kind ? { key, digest } : null;
}

function onCurve(curve: string, key: KeyObject | null, digest: 'sha256' | 'sha384'): Verification | null {
  const found = only('ec', key, digest);
  return found?.key.asymmetricKeyDetails?.namedCurve === curve ? found : null;
}
