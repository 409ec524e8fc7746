import { hash } from 'node:crypto';
import type { PublicJwk } from '../schemas/jws.ts';

/** RFC 7638 thumbprint of an Ed25519 key (members as in RFC 8037 appendix A.3), base64url, 43 characters: the `kid`. */
export function thumbprint(jwk: Pick<PublicJwk, 'crv' | 'kty' | 'x'>): string {
  const members = JSON.stringify({ crv: jwk.crv, kty: jwk.kty, x: jwk.x });
  return hash('sha256', members, 'base64url');
}

/** What may be shown of a key: nothing but its public members, and its `kid`. */
export function publicPart(jwk: Pick<PublicJwk, 'crv' | 'kty' | 'x'>): PublicJwk & { kid: string } {
  return { kty: jwk.kty, crv: jwk.crv, x: jwk.x, kid: thumbprint(jwk) };
}
