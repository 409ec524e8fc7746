import type { Refused } from '../reconciler/ports.ts';
import type { PublicJwk } from '../schemas/jws.ts';
import { type Role, type RoleName, Root } from '../schemas/root.ts';
import { type SignedDocument, sha256Hex, validSigners } from './jws.ts';
import { firstFault, refused } from './refusal.ts';
import { parseStrictJson } from './strict-json.ts';
import { thumbprint } from './thumbprint.ts';

/** Payload of a root document. Every key must be listed under its own thumbprint, or a `kid` would not say which key it is. */
export function parseRoot(payload: Uint8Array, name: string): { kind: 'root'; root: Root } | Refused {
  const json = parseStrictJson(payload);
  if (json.kind === 'malformed') return refused('document_malformed', `${name}: payload: ${json.message}`);
  const wrongType = payloadTypeFault(json.value, Root.shape.type.value, name);
  if (wrongType !== null) return wrongType;
  const parsed = Root.safeParse(json.value);
  if (!parsed.success) return refused('root_malformed', `${name}: ${firstFault(parsed.error)}`);
  if (hasPrivateKey(json.value)) {
    const message = `${name}: expected public keys only, found a private one (d): it is public now; replace that key`;
    return refused('root_malformed', message);
  }
  for (const [kid, key] of Object.entries(parsed.data.keys)) {
    const expected = thumbprint(key);
    if (kid === expected && (key.kid === undefined || key.kid === expected)) continue;
    const found = kid === expected ? key.kid : kid;
    const message = `${name}: expected the key ${expected} under its thumbprint, found it as ${String(found).slice(0, 80)}`;
    return refused('root_malformed', message);
  }
  return { kind: 'root', root: parsed.data };
}

/** Looked for in the document as it came: other members of a key are ignored, this one must not be. */
function hasPrivateKey(payload: unknown): boolean {
  const keys = typeof payload === 'object' && payload !== null && 'keys' in payload ? payload.keys : null;
  if (typeof keys !== 'object' || keys === null) return false;
  return Object.values(keys).some((key) => typeof key === 'object' && key !== null && 'd' in key);
}

/** Looked at before the rest of the payload, so that a document of another kind is called by its name. */
export function payloadTypeFault(payload: unknown, expected: string, name: string): Refused | null {
  const found =
    typeof payload === 'object' && payload !== null && 'type' in payload ? payload.type : undefined;
  if (found === expected) return null;
  const shown = typeof found === 'string' ? `"${found.slice(0, 80)}"` : 'none';
  return refused('type_mismatch', `${name}: expected type "${expected}" in the payload, found ${shown}`);
}

export interface SignatureCount {
  readonly threshold: number;
  /** Key ids of the role whose signature is valid, sorted. */
  readonly signed: readonly string[];
  /** The other key ids of the role, sorted. */
  readonly missing: readonly string[];
  readonly met: boolean;
}

/** How far a document meets the threshold of a role of `root`: distinct keys of that role alone. */
export async function countSignatures(
  document: SignedDocument,
  root: Root,
  roleName: RoleName,
): Promise<SignatureCount> {
  const role = root.roles[roleName];
  if (role === undefined) return { threshold: Number.POSITIVE_INFINITY, signed: [], missing: [], met: false };
  const signers = await validSigners(document, keysOf(root, role));
  const signed = [...signers].sort();
  const missing = role.keyids.filter((kid) => !signers.has(kid)).sort();
  return { threshold: role.threshold, signed, missing, met: signed.length >= role.threshold };
}

function keysOf(root: Root, role: Role): ReadonlyMap<string, PublicJwk> {
  return new Map(
    role.keyids.flatMap((kid) => {
      const key = root.keys[kid];
      return key === undefined ? [] : [[kid, key] as const];
    }),
  );
}

/** "valid signatures of 2 of the release keys of root 4, found 1 (<kid>)", for messages. */
export function describeShortfall(count: SignatureCount, roleName: RoleName, version: number): string {
  const found = count.signed.length === 0 ? 'none' : `${count.signed.length} (${count.signed.join(', ')})`;
  return `expected valid signatures of ${count.threshold} distinct ${roleName} keys of root ${version}, found ${found}`;
}

/**
 * Names the set of keys a `seq` belongs to (contract, section 5): SHA-256, in hex, of the release key ids sorted by their
 * ASCII bytes and joined by a line feed, without one at the end. Another threshold over the same keys is the same set.
 */
export function releaseKeySet(root: Root): string {
  return sha256Hex(Buffer.from([...root.roles.release.keyids].sort().join('\n'), 'ascii'));
}
