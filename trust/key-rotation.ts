import { randomUUID } from 'node:crypto';
import { importJWK, SignJWT } from 'jose';
import { z } from 'zod';
import { isStrictBase64url, PrivateJwk, PublicJwk } from '../schemas/jws.ts';
import { Id } from '../schemas/names.ts';
import { compactSignatureHolds } from './jws.ts';
import { firstFault } from './refusal.ts';
import { parseStrictJson } from './strict-json.ts';
import { publicPart, thumbprint } from './thumbprint.ts';

const TYP = 'edge-key-rotation+jwt';
const MAX_AGE_SECONDS = 5 * 60;
const TOLERANCE_SECONDS = 60;

const Header = z.strictObject({ alg: z.literal('Ed25519'), typ: z.literal(TYP) });
const Claims = z.looseObject({
  iss: Id,
  aud: z.string(),
  from: z.string().length(43),
  jwk: PublicJwk,
  iat: z.int().min(0),
  jti: z.string().min(1).max(128),
});

/**
 * What the next device key of an agent says of itself (docs/spec/console-api.md): a compact JWS by that key over
 * `{iss: agent_id, aud: origin, from: thumbprint of the key it follows, jwk, iat, jti}`. Whoever holds the old key alone can
 * so put no key in its place that is somebody else's.
 */
export async function signRotationProof(rotation: {
  readonly next: PrivateJwk;
  readonly agentId: string;
  /** Thumbprint of the key in force. */
  readonly from: string;
  /** The address called. */
  readonly url: string;
  readonly now: Date;
}): Promise<string> {
  const { kty, crv, x, d } = PrivateJwk.parse(rotation.next);
  return new SignJWT({ from: rotation.from, jwk: publicPart({ kty, crv, x }) })
    .setProtectedHeader({ alg: 'Ed25519', typ: TYP })
    .setIssuer(rotation.agentId)
    .setAudience(new URL(rotation.url).origin)
    .setIssuedAt(Math.floor(rotation.now.getTime() / 1_000))
    .setJti(randomUUID())
    .sign(await importJWK({ kty, crv, x, d }, 'Ed25519'));
}

export type RotationVerdict =
  | { readonly kind: 'verified'; readonly from: string; readonly thumbprint: string }
  | { readonly kind: 'refused'; readonly code: 'proof_invalid'; readonly message: string };

/** The console's half. The caller has verified who calls, and compares `from` with the keys it knows of that agent. */
export function verifyRotationProof(expected: {
  readonly proof: string;
  readonly jwk: PublicJwk;
  readonly agentId: string;
  readonly origin: string;
  readonly now: Date;
}): RotationVerdict {
  const parts = expected.proof.split('.');
  const [header = '', payload = ''] = parts;
  if (parts.length !== 3 || !parts.every(isStrictBase64url)) return refused('expected a compact JWS');
  const headerJson = parseStrictJson(Buffer.from(header, 'base64url'));
  if (headerJson.kind === 'malformed' || !Header.safeParse(headerJson.value).success) {
    return refused(`expected a header of exactly alg Ed25519 and typ ${TYP}`);
  }
  const json = parseStrictJson(Buffer.from(payload, 'base64url'));
  const claims = Claims.safeParse(json.kind === 'parsed' ? json.value : undefined);
  if (!claims.success) return refused(`claims: ${firstFault(claims.error)}`);
  if (!compactSignatureHolds(expected.proof, expected.jwk)) {
    return refused('expected a proof signed by the new device key itself');
  }
  const { iss, aud, from, jwk, iat } = claims.data;
  const own = thumbprint(expected.jwk);
  if (iss !== expected.agentId) return refused(`expected iss ${expected.agentId}, found ${iss}`);
  if (aud !== expected.origin) return refused(`expected aud ${expected.origin}, found ${aud.slice(0, 200)}`);
  if (thumbprint(jwk) !== own) return refused('expected the proof to name the key that signed it');
  const age = expected.now.getTime() / 1_000 - iat;
  if (age > MAX_AGE_SECONDS || age < -TOLERANCE_SECONDS) {
    return refused(`expected a proof of the last ${MAX_AGE_SECONDS} s, found iat ${iat}; check the clock`);
  }
  return { kind: 'verified', from, thumbprint: own };
}

function refused(message: string): RotationVerdict {
  return { kind: 'refused', code: 'proof_invalid', message: `proof: ${message}` };
}
