import { createHash } from 'node:crypto';
import { errors, FlattenedSign, flattenedVerify, importJWK } from 'jose';
import type { Refused } from '../reconciler/ports.ts';
import {
  GeneralJws,
  isStrictBase64url,
  type PrivateJwk,
  type PublicJwk,
  SIGNED_DOCUMENT_MAX_BYTES,
  SIGNED_DOCUMENT_MAX_SIGNATURES,
  SignatureHeader,
} from '../schemas/jws.ts';
import { ed25519Holds } from './ed25519.ts';
import { foreignDocument } from './foreign-document.ts';
import { firstFault, refused } from './refusal.ts';
import { parseStrictJson } from './strict-json.ts';
import { thumbprint } from './thumbprint.ts';

export type DocumentType = 'edgeflows-release+jws' | 'edgeflows-root+jws';
type Signature = GeneralJws['signatures'][number];

/** A well-formed envelope. Nothing in `payload` is believed, or has been looked at, yet. */
export interface SignedDocument {
  readonly kind: 'read';
  readonly payload: Uint8Array;
  readonly payloadSha256: string;
  readonly signatures: readonly { readonly kid: string; readonly signature: Signature }[];
  readonly encodedPayload: string;
}

/**
 * Reads the envelope of a signed document and holds it to contract section 5 before any signature is tried: at most 512 KiB,
 * the General JSON serialisation and nothing else, at most 32 signatures, strict base64url, and in every protected header
 * exactly `alg`, `kid` and the `typ` expected. One header that is otherwise refuses the document whole.
 */
export function readSignedDocument(
  bytes: Uint8Array,
  name: string,
  typ: DocumentType,
): SignedDocument | Refused {
  if (bytes.byteLength > SIGNED_DOCUMENT_MAX_BYTES) {
    const message = `${name}: expected at most ${SIGNED_DOCUMENT_MAX_BYTES} bytes, found ${bytes.byteLength}`;
    return refused('document_too_large', message);
  }
  const json = parseStrictJson(bytes);
  if (json.kind === 'malformed') return refused('document_malformed', `${name}: ${json.message}`);
  const envelope = GeneralJws.safeParse(json.value);
  if (!envelope.success) {
    const foreign = foreignDocument(json.value, 'edge-agent');
    if (foreign !== null) {
      return refused(
        'document_malformed',
        `${name}: expected a signed document of Edge-Agent, found ${foreign}`,
      );
    }
    const { issues } = envelope.error;
    if (issues.some((issue) => issue.code === 'too_big')) {
      const message = `${name}: expected at most ${SIGNED_DOCUMENT_MAX_SIGNATURES} signatures, found more`;
      return refused('too_many_signatures', message);
    }
    const encoding = issues.every((issue) => issue.code === 'custom');
    const code = encoding ? 'base64url_malformed' : 'document_malformed';
    return refused(code, `${name}: ${firstFault(envelope.error)}`);
  }
  const signatures: { kid: string; signature: Signature }[] = [];
  for (const signature of envelope.data.signatures) {
    const header = readHeader(signature.protected, name, typ);
    if (header.kind === 'refused') return header;
    signatures.push({ kid: header.kid, signature });
  }
  const encodedPayload = envelope.data.payload;
  const payload = Buffer.from(encodedPayload, 'base64url');
  return { kind: 'read', payload, payloadSha256: sha256Hex(payload), signatures, encodedPayload };
}

function readHeader(
  encoded: string,
  name: string,
  typ: DocumentType,
): { kind: 'header'; kid: string } | Refused {
  const json = parseStrictJson(Buffer.from(encoded, 'base64url'));
  if (json.kind === 'malformed')
    return refused('header_malformed', `${name}: protected header: ${json.message}`);
  const header = SignatureHeader.safeParse(json.value);
  const found = header.success ? header.data.typ : unknownTyp(header.error, json.value);
  if (found !== null && found !== typ) {
    return refused('typ_mismatch', `${name}: expected typ ${typ}, found ${found.slice(0, 80)}`);
  }
  if (!header.success) {
    const message = `${name}: protected header: expected exactly alg Ed25519, kid and typ; ${firstFault(header.error)}`;
    return refused('header_malformed', message);
  }
  return { kind: 'header', kid: header.data.kid };
}

/** The foreign `typ` of a header in which all else is as it should be. */
function unknownTyp(
  error: { issues: readonly { path: readonly PropertyKey[] }[] },
  value: unknown,
): string | null {
  if (error.issues.some((issue) => issue.path[0] !== 'typ')) return null;
  const typ = typeof value === 'object' && value !== null && 'typ' in value ? value.typ : null;
  return typeof typ === 'string' ? typ : null;
}

/**
 * Those of `keys` that signed the document. Every signature is tried on its own with the key its `kid` names: unknown ids and
 * wrong signatures count for nothing and spoil nothing, and a key counts once however often it signed. At most 32 checks.
 */
export async function validSigners(
  document: SignedDocument,
  keys: ReadonlyMap<string, PublicJwk>,
): Promise<ReadonlySet<string>> {
  const signers = new Set<string>();
  for (const { kid, signature } of document.signatures) {
    const key = keys.get(kid);
    if (key === undefined || signers.has(kid)) continue;
    if (await signatureHolds({ ...signature, payload: document.encodedPayload }, key)) signers.add(kid);
  }
  return signers;
}

async function signatureHolds(jws: Signature & { payload: string }, key: PublicJwk): Promise<boolean> {
  try {
    await flattenedVerify(jws, await importPublicKey(key), { algorithms: ['Ed25519'] });
    return true;
  } catch (error) {
    // Bytes that are no point of the curve are a DataError of Web Crypto: a key like that has signed nothing.
    if (error instanceof errors.JOSEError || error instanceof DOMException) return false;
    throw error;
  }
}

/**
 * Whether a compact JWS (RFC 7515, section 7.1) is signed by this key, with Ed25519 and nothing else: three parts of strict
 * base64url, a protected header that says `alg` Ed25519 and asks for no extension (`crit`). What else may be in the header is for
 * the caller to say, of the payload too.
 */
export function compactSignatureHolds(jws: string, key: PublicJwk): boolean {
  const parts = jws.split('.');
  const [header, , signature] = parts;
  if (parts.length !== 3 || header === undefined || signature === undefined) return false;
  if (!parts.every(isStrictBase64url) || !isPlainEd25519(header)) return false;
  return ed25519Holds(jws.slice(0, jws.lastIndexOf('.')), Buffer.from(signature, 'base64url'), key);
}

function isPlainEd25519(encodedHeader: string): boolean {
  const json = parseStrictJson(Buffer.from(encodedHeader, 'base64url'));
  if (json.kind === 'malformed' || typeof json.value !== 'object' || json.value === null) return false;
  const { alg, crit } = json.value as { alg?: unknown; crit?: unknown };
  return alg === 'Ed25519' && crit === undefined;
}

/** The key for Web Crypto, from its public members alone: `alg`, `use` and whatever else is beside them do not count. */
export function importPublicKey(jwk: PublicJwk): Promise<CryptoKey> {
  return importJWK({ kty: jwk.kty, crv: jwk.crv, x: jwk.x }, 'Ed25519');
}

/** One signature over `payload`; deterministic (RFC 8032), so signing twice gives the same bytes. */
export async function signPayload(
  payload: Uint8Array,
  key: PrivateJwk,
  typ: DocumentType,
): Promise<Signature> {
  const privateKey = await importJWK({ kty: key.kty, crv: key.crv, x: key.x, d: key.d }, 'Ed25519');
  const header = { alg: 'Ed25519', kid: thumbprint(key), typ };
  const signed = await new FlattenedSign(payload).setProtectedHeader(header).sign(privateKey);
  if (signed.protected === undefined) throw new Error('expected jose to give the protected header it signed');
  return { protected: signed.protected, signature: signed.signature };
}

export function sha256Hex(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
