import { createPublicKey, type KeyObject, verify } from 'node:crypto';
import type { PublicJwk } from '../schemas/jws.ts';

type VerifyKey = Pick<PublicJwk, 'kty' | 'crv' | 'x'>;

/**
 * Whether this key alone signed the text (ASCII) with pure Ed25519 (RFC 8032, section 5.1.7), by the key's public members
 * whatever else is beside them. Done when it returns: a job of Web Crypto costs as much again as the check itself, and the key
 * is made anew each time because that is a thirtieth of it.
 */
export function ed25519Holds(signingInput: string, signature: Uint8Array, key: VerifyKey): boolean {
  try {
    return verify(null, Buffer.from(signingInput, 'ascii'), keyOf(key), signature);
  } catch {
    // Bytes that are no point of the curve: a key like that has signed nothing.
    return false;
  }
}

/**
 * The same, on the thread pool: for who answers many callers with one thread (docs/decisions/0096-what-a-report-costs.md). Decided
 * alike in all cases; never rejects.
 */
export async function ed25519HoldsInPool(
  signingInput: string,
  signature: Uint8Array,
  key: VerifyKey,
): Promise<boolean> {
  return new Promise((resolve) => {
    try {
      verify(null, Buffer.from(signingInput, 'ascii'), keyOf(key), signature, (fault, holds) =>
        resolve(fault === null && holds),
      );
    } catch {
      resolve(false);
    }
  });
}

function keyOf({ kty, crv, x }: VerifyKey): KeyObject {
  return createPublicKey({ key: { kty, crv, x }, format: 'jwk' });
}
