import { generateKeyPairSync } from 'node:crypto';
import { PrivateJwk } from '../../schemas/jws.ts';
import { thumbprint } from '../thumbprint.ts';

/** A fresh Ed25519 key as a private JWK (RFC 8037) with its `kid`. The caller keeps it 0600 and shows only `publicPart`. */
export function newKey(): PrivateJwk & { kid: string } {
  const { privateKey } = generateKeyPairSync('ed25519');
  const { kty, crv, x, d } = PrivateJwk.parse(privateKey.export({ format: 'jwk' }));
  return { kty, crv, x, d, kid: thumbprint({ kty, crv, x }) };
}
