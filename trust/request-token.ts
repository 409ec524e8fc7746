import { randomUUID } from 'node:crypto';
import { importJWK, SignJWT } from 'jose';
import { z } from 'zod';
import { isStrictBase64url, type PrivateJwk, type PublicJwk } from '../schemas/jws.ts';
import { Id } from '../schemas/names.ts';
import { printable } from '../system/printable.ts';
import { ed25519HoldsInPool } from './ed25519.ts';
import { firstFault } from './refusal.ts';
import { parseStrictJson } from './strict-json.ts';

const TYP = 'edge-agent+jwt';
const LIFETIME_SECONDS = 60;
const MAX_LIFETIME_SECONDS = 5 * 60;
const DEFAULT_TOLERANCE_MS = 60_000;
const MAX_CHARACTERS = 8_192;

const Header = z.strictObject({ alg: z.literal('Ed25519'), typ: z.literal(TYP) });

/** Told of itself by the caller: of another form it is as if it were not there. */
const Said = z.string().min(1).max(255).optional().catch(undefined);

const Claims = z.looseObject({
  iss: Id,
  sub: Id,
  aud: z.string(),
  htm: z.string(),
  htu: z.string(),
  iat: z.int().min(0),
  exp: z.int().min(0),
  jti: z.string().min(1).max(128),
  boot: Said,
  machine: Said,
  host: Said,
  os: Said,
  next: Said,
});
export type RequestClaims = z.infer<typeof Claims>;

/** Which process on which machine speaks, so that a copied machine is noticed (docs/spec/console-api.md). */
export interface SpeakingProcess {
  /** Of one agent process: another one at every start. */
  readonly boot: string;
  /** Fingerprint of the machine, salted with the agent's id; null where it has none. */
  readonly machine: string | null;
  readonly host: string;
  readonly os: string;
}

/**
 * The bearer token of one call (contract, section 7): a JWT signed by the device key, bound to the method and to the URL without
 * query, good for a minute. `issuer` is the agent_id; for the enrolment call, the thumbprint of the key.
 */
export async function signRequestToken(request: {
  jwk: PrivateJwk;
  issuer: string;
  method: string;
  url: string;
  now: Date;
  speaker?: SpeakingProcess;
  /** Thumbprint of the device key that this one lets follow it: the call's body is not signed. */
  next?: string;
}): Promise<string> {
  const { jwk, issuer, method, url, now, speaker, next } = request;
  const { origin, pathname } = new URL(url);
  const issuedAt = Math.floor(now.getTime() / 1_000);
  const key = await importJWK({ kty: jwk.kty, crv: jwk.crv, x: jwk.x, d: jwk.d }, 'Ed25519');
  const { machine = null, ...said } = speaker ?? {};
  const own = machine === null ? said : { ...said, machine };
  const vouched = next === undefined ? {} : { next };
  return new SignJWT({ ...own, ...vouched, htm: method.toUpperCase(), htu: `${origin}${pathname}` })
    .setProtectedHeader({ alg: 'Ed25519', typ: TYP })
    .setIssuer(issuer)
    .setSubject(issuer)
    .setAudience(origin)
    .setIssuedAt(issuedAt)
    .setExpirationTime(issuedAt + LIFETIME_SECONDS)
    .setJti(randomUUID())
    .sign(key);
}

export interface RequestTokenExpectation {
  readonly token: string;
  readonly method: string;
  /** As the caller addressed it: behind a proxy, the public origin. Query and fragment do not count. */
  readonly url: string;
  readonly now: Date;
  /** The key of an agent, by `iss`; null when there is no such agent. Asked before the signature is checked, so believe nothing yet. */
  readonly findKey: (issuer: string) => PublicJwk | null | Promise<PublicJwk | null>;
  /**
   * Notes a `jti` of an issuer until `expires`, and says whether it was new. Asked last, once all else holds, so that nobody
   * else can use a token up.
   */
  readonly takeOnce: (issuer: string, jti: string, expires: Date) => boolean | Promise<boolean>;
  /** How far the two clocks may differ; a minute when absent. */
  readonly toleranceMs?: number;
}

export type RequestTokenVerdict =
  | { readonly kind: 'verified'; readonly issuer: string; readonly claims: RequestClaims }
  | {
      readonly kind: 'refused';
      readonly code:
        | 'token_malformed'
        | 'key_unknown'
        | 'signature_invalid'
        | 'claims_invalid'
        | 'audience_mismatch'
        | 'request_mismatch'
        | 'token_expired'
        | 'token_not_yet_valid'
        | 'token_replayed';
      readonly message: string;
    };
type TokenRefusal = Extract<RequestTokenVerdict, { kind: 'refused' }>;

/** The console's half: who calls, or why that is not believed. Fixed algorithm, key looked up by `iss` alone (RFC 8725). */
export async function verifyRequestToken(expected: RequestTokenExpectation): Promise<RequestTokenVerdict> {
  const unsigned = readUnsigned(expected.token);
  if (unsigned.kind === 'refused') return unsigned;
  const { claims, signingInput, signature } = unsigned;
  const key = await expected.findKey(claims.iss);
  if (key === null)
    return refused('key_unknown', `expected the token of an enrolled agent, found iss ${claims.iss}`);
  if (!(await ed25519HoldsInPool(signingInput, signature, key))) {
    return refused('signature_invalid', `expected a token signed by the device key of ${claims.iss}`);
  }
  const fault = claimsFault(claims, expected);
  if (fault !== null) return fault;
  const toleranceMs = expected.toleranceMs ?? DEFAULT_TOLERANCE_MS;
  const forgetAt = new Date(claims.exp * 1_000 + toleranceMs);
  if (!(await expected.takeOnce(claims.iss, claims.jti, forgetAt))) {
    return refused(
      'token_replayed',
      'expected a token of its own for every call, found one that was used before',
    );
  }
  return { kind: 'verified', issuer: claims.iss, claims };
}

interface Unsigned {
  readonly kind: 'read';
  readonly claims: RequestClaims;
  readonly signingInput: string;
  readonly signature: Uint8Array;
}

/** The form alone: three parts of strict base64url, and a header that says this algorithm, this type and nothing else. */
function readUnsigned(token: string): Unsigned | TokenRefusal {
  const parts = token.split('.');
  const [header, payload, signature] = parts;
  const formed = token.length <= MAX_CHARACTERS && parts.length === 3 && parts.every(isStrictBase64url);
  if (!formed || header === undefined || payload === undefined || signature === undefined) {
    return refused('token_malformed', `expected a compact JWT of at most ${MAX_CHARACTERS} characters`);
  }
  const headerJson = parseStrictJson(Buffer.from(header, 'base64url'));
  if (headerJson.kind === 'malformed' || !Header.safeParse(headerJson.value).success) {
    return refused('token_malformed', `expected a header of exactly alg Ed25519 and typ ${TYP}`);
  }
  const json = parseStrictJson(Buffer.from(payload, 'base64url'));
  if (json.kind === 'malformed') return refused('token_malformed', `claims: ${json.message}`);
  const claims = Claims.safeParse(json.value);
  if (!claims.success) return refused('claims_invalid', `claims: ${firstFault(claims.error)}`);
  return {
    kind: 'read',
    claims: claims.data,
    signingInput: `${header}.${payload}`,
    signature: Buffer.from(signature, 'base64url'),
  };
}

function claimsFault(claims: RequestClaims, expected: RequestTokenExpectation): TokenRefusal | null {
  const { origin, pathname } = new URL(expected.url);
  const toleranceSeconds = (expected.toleranceMs ?? DEFAULT_TOLERANCE_MS) / 1_000;
  const now = expected.now.getTime() / 1_000;
  if (claims.sub !== claims.iss) {
    return refused('claims_invalid', `expected sub to be iss (${claims.iss}), found ${claims.sub}`);
  }
  if (claims.aud !== origin) {
    return refused('audience_mismatch', `expected aud ${origin}, found ${printable(claims.aud, 200)}`);
  }
  const method = expected.method.toUpperCase();
  if (claims.htm !== method || claims.htu !== `${origin}${pathname}`) {
    const found = printable(`${claims.htm} ${claims.htu}`, 200);
    return refused(
      'request_mismatch',
      `expected a token for ${method} ${origin}${pathname}, found one for ${found}`,
    );
  }
  if (claims.exp <= claims.iat || claims.exp - claims.iat > MAX_LIFETIME_SECONDS) {
    const message = `expected exp at most ${MAX_LIFETIME_SECONDS} s after iat, found ${claims.exp - claims.iat} s`;
    return refused('claims_invalid', message);
  }
  if (claims.exp + toleranceSeconds <= now) {
    return refused(
      'token_expired',
      `expected a token that has not expired, found exp ${claims.exp}; check the clock`,
    );
  }
  if (claims.iat - toleranceSeconds > now) {
    return refused(
      'token_not_yet_valid',
      `expected a token issued by now, found iat ${claims.iat}; check the clock`,
    );
  }
  return null;
}

function refused(code: TokenRefusal['code'], message: string): TokenRefusal {
  return { kind: 'refused', code, message };
}
