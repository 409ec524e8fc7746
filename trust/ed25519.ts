import { createPublicKey, verify } from 'node:crypto';
import type { PublicJwk } from '../schemas/jws.ts';

/**
 * Whether this key alone signed the text (ASCII) with pure Ed25519 (RFC 8032, section 5.1.7), by the key's public members
 * whatever else is beside them. Done when it returns: a job of Web Crypto costs as much again as the check itself, and the key
 * is made anew each time because that is a thirtieth of it.
 */
export function ed25519Holds(
  signingInput: string,
  signature: Uint8Array,
  { kty, crv, x }: Pick<PublicJwk, 'kty' | 'crv' | 'x'>,
): boolean {
  try {
    const key = createPublicKey({ key: { kty, crv, x }, format: 'jwk' });
    return verify(null, Buffer.from(signingInput, 'ascii'), key, signature);
  } catch {
    // Bytes that are no point of the curve: a key like that has signed nothing.
    return false;
  }
}
