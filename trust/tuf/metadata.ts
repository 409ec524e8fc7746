import { createHash } from 'node:crypto';
import type { z } from 'zod';
import type { Refused } from '../../reconciler/ports.ts';
import {
  TufEnvelope,
  type TufKey,
  type TufMetaFile,
  type TufRole,
  TufRoot,
  TufSnapshot,
  TufTargets,
  TufTimestamp,
} from '../../schemas/tuf.ts';
import { foreignDocument } from '../foreign-document.ts';
import { sha256Hex } from '../jws.ts';
import { firstFault, refused } from '../refusal.ts';
import { parseStrictJson } from '../strict-json.ts';
import { canonicalJson, NotCanonicalError } from './canonical-json.ts';
import { fingerprintOf, signatureIsOf, verificationOf } from './keys.ts';

const SCHEMAS = { root: TufRoot, timestamp: TufTimestamp, snapshot: TufSnapshot, targets: TufTargets };
export type TopLevelRole = keyof typeof SCHEMAS;
type SignedOf<T extends TopLevelRole> = z.infer<(typeof SCHEMAS)[T]>;

/** A metadata file whose form is right. Whether anybody signed it is for `signedBy` to say. */
export interface Metadata<T extends TopLevelRole> {
  readonly kind: 'metadata';
  readonly type: T;
  readonly signed: SignedOf<T>;
  /** The file as it came. */
  readonly bytes: Uint8Array;
  /** Of the canonical form of `signed`: another signature under the same content is the same document. */
  readonly signedSha256: string;
  readonly signatures: ReadonlyMap<string, string>;
  readonly canonical: Uint8Array;
}

/**
 * Reads one metadata file: strict JSON, each keyid once, `_type` as asked for, everything that is used of it in form. `name` is
 * for messages. What the file says is not believed yet; a signature is over the canonical form of what was parsed.
 */
export function readMetadata<T extends TopLevelRole>(
  type: T,
  bytes: Uint8Array,
  name: string,
): Metadata<T> | Refused {
  const json = parseStrictJson(bytes);
  if (json.kind === 'malformed') return refused('document_malformed', `${name}: ${json.message}`);
  const envelope = TufEnvelope.safeParse(json.value);
  if (!envelope.success) {
    const foreign = foreignDocument(json.value, 'tuf');
    if (foreign !== null)
      return refused('document_malformed', `${name}: expected TUF metadata, found ${foreign}`);
    const many = envelope.error.issues.some(
      ({ code, path }) => code === 'too_big' && path[0] === 'signatures',
    );
    const code = many ? 'too_many_signatures' : 'document_malformed';
    return refused(code, `${name}: expected TUF metadata; ${firstFault(envelope.error)}`);
  }
  const { signed: raw, signatures } = envelope.data;
  const found = raw['_type'];
  if (found !== type) {
    const shown = typeof found === 'string' ? `"${found.slice(0, 80)}"` : 'none';
    return refused('type_mismatch', `${name}: expected _type "${type}", found ${shown}`);
  }
  const parsed = SCHEMAS[type].safeParse(raw);
  if (!parsed.success) {
    const code = type === 'root' ? 'root_malformed' : 'document_malformed';
    return refused(code, `${name}: ${firstFault(parsed.error)}`);
  }
  let canonical: Uint8Array;
  try {
    // of what was parsed and not of what the schema made of it: unknown members are signed too
    canonical = canonicalJson((json.value as { signed: unknown }).signed);
  } catch (error) {
    if (!(error instanceof NotCanonicalError)) throw error;
    return refused('document_malformed', `${name}: ${error.message}`);
  }
  return {
    kind: 'metadata',
    type,
    signed: parsed.data as SignedOf<T>,
    bytes,
    signedSha256: sha256Hex(canonical),
    signatures: new Map(signatures.map(({ keyid, sig }) => [keyid, sig])),
    canonical,
  };
}

/** Who may sign: a role with the keys of whoever delegates to it. */
export interface Signers {
  readonly role: Pick<TufRole, 'keyids' | 'threshold'>;
  readonly keys: Readonly<Record<string, TufKey>>;
}

/**
 * Null when the threshold is met by distinct keys, else what was found. A key counts once whatever ids it goes by; ids that are
 * not of the role, keys of an unknown kind and wrong signatures count for nothing and spoil nothing.
 */
export function shortfall(
  metadata: Pick<Metadata<TopLevelRole>, 'signatures' | 'canonical'>,
  { role, keys }: Signers,
  asked: string,
): string | null {
  const signed = new Set<string>();
  const ids: string[] = [];
  for (const keyid of role.keyids) {
    const signature = metadata.signatures.get(keyid);
    const key = Object.hasOwn(keys, keyid) ? keys[keyid] : undefined;
    if (signature === undefined || key === undefined) continue;
    const verification = verificationOf(key);
    if (verification === null || !signatureIsOf(verification, metadata.canonical, signature)) continue;
    signed.add(fingerprintOf(verification));
    ids.push(keyid.slice(0, 16));
    if (signed.size >= role.threshold) return null;
  }
  const found = ids.length === 0 ? 'none' : `${signed.size} (${ids.join(', ')})`;
  return `expected valid signatures of ${role.threshold} distinct ${asked} keys, found ${found}`;
}

const HASHES = ['sha256', 'sha512'] as const;

/**
 * Length and hashes against bytes: null when they agree, else what differs. Of the hashes SHA-256 and SHA-512 are looked at, and
 * one of them has to be there where `hashes` is.
 */
export function bytesFault(bytes: Uint8Array, bound: Pick<TufMetaFile, 'length' | 'hashes'>): string | null {
  if (bound.length !== undefined && bound.length !== bytes.byteLength) {
    return `expected ${bound.length} bytes, found ${bytes.byteLength}`;
  }
  if (bound.hashes === undefined) return null;
  const { hashes } = bound;
  const known = HASHES.filter((name) => Object.hasOwn(hashes, name));
  if (known.length === 0)
    return `expected a hash of ${HASHES.join(' or ')}, found ${Object.keys(hashes).join(', ') || 'none'}`;
  for (const name of known) {
    const found = createHash(name).update(bytes).digest('hex');
    if (found !== hashes[name]) return `expected ${name} ${hashes[name]}, found ${found}`;
  }
  return null;
}
