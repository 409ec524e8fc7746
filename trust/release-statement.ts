import type { Refused, TrustMemory } from '../reconciler/ports.ts';
import { ReleaseStatement } from '../schemas/release.ts';
import { readSignedDocument, sha256Hex } from './jws.ts';
import { firstFault, refused } from './refusal.ts';
import { countSignatures, describeShortfall, payloadTypeFault, releaseKeySet } from './root.ts';
import type { RootWalk } from './root-walk.ts';
import { parseStrictJson } from './strict-json.ts';
import { hasExpired, ISSUED_AHEAD_MS } from './trusted-time.ts';

type InForce = Extract<RootWalk, { kind: 'walked' }>;

interface BelievedStatement {
  readonly kind: 'believed';
  readonly statement: ReleaseStatement;
  readonly payloadSha256: string;
  /** Of the release keys of the root in force. */
  readonly keys: string;
}

/**
 * Everything that can be said of a statement without the files it binds, in the order of contract section 5: the envelope and the
 * threshold before the payload is parsed; then type, tenant, root, `issued`, `expires`, `seq`.
 */
export async function believeStatement(
  bytes: Uint8Array,
  name: string,
  expected: { tenant: string; inForce: InForce; memory: TrustMemory; time: Date },
): Promise<BelievedStatement | Refused> {
  const { tenant, inForce, memory, time } = expected;
  const document = readSignedDocument(bytes, name, 'edgeflows-release+jws');
  if (document.kind === 'refused') return document;
  const count = await countSignatures(document, inForce.root, 'release');
  if (!count.met) {
    const hint =
      inForce.gap === null
        ? ''
        : `; roots/${inForce.gap}.root.jws.json is missing, so later roots do not count`;
    const message = `${name}: ${describeShortfall(count, 'release', inForce.root.version)}${hint}`;
    return refused('threshold_not_met', message);
  }
  const read = readStatement(document.payload, name);
  if (read.kind === 'refused') return read;
  const { statement } = read;
  const keys = releaseKeySet(inForce.root);
  const { payloadSha256 } = document;
  const fault =
    tenantFault(statement, tenant, name) ??
    rootVersionFault(statement, inForce, name) ??
    timeFault(statement, time, name) ??
    seqFault(statement, { keys, payloadSha256, memory }, name);
  return fault ?? { kind: 'believed', statement, payloadSha256, keys };
}

/** The payload alone: for the ceremony, which makes what this reads. */
export function readStatement(
  payload: Uint8Array,
  name: string,
): { kind: 'statement'; statement: ReleaseStatement } | Refused {
  const json = parseStrictJson(payload);
  if (json.kind === 'malformed') return refused('document_malformed', `${name}: payload: ${json.message}`);
  const wrongType = payloadTypeFault(json.value, ReleaseStatement.shape.type.value, name);
  if (wrongType !== null) return wrongType;
  const parsed = ReleaseStatement.safeParse(json.value);
  if (!parsed.success) return refused('document_malformed', `${name}: payload: ${firstFault(parsed.error)}`);
  return { kind: 'statement', statement: parsed.data };
}

function tenantFault(statement: ReleaseStatement, tenant: string, name: string): Refused | null {
  if (statement.tenant === tenant) return null;
  const message = `${name}: expected a release of tenant ${tenant}, found one of ${statement.tenant}`;
  return refused('tenant_mismatch', message);
}

function rootVersionFault(statement: ReleaseStatement, inForce: InForce, name: string): Refused | null {
  const { version } = inForce.root;
  if (statement.root_version === version) return null;
  const found = `${name}: expected root_version ${version}, the root in force, found ${statement.root_version}`;
  if (statement.root_version > version && inForce.gap !== null) {
    const message = `${found}; put roots/${inForce.gap}.root.jws.json on the branch, later roots do not count without it`;
    return refused('root_gap', message);
  }
  return refused('root_version_mismatch', `${found}; sign a release for root ${version}`);
}

function timeFault(statement: ReleaseStatement, time: Date, name: string): Refused | null {
  const { issued, expires } = statement;
  if (!(Date.parse(issued) <= time.getTime() + ISSUED_AHEAD_MS)) {
    const message = `${name}: expected a release issued at most 24 h ahead of this machine's clock, found ${issued}; check the clocks`;
    return refused('issued_in_future', message);
  }
  if (hasExpired(expires, time)) {
    const message = `${name}: expected a release that has not expired, found expires ${expires}; sign a new one`;
    return refused('release_expired', message);
  }
  return null;
}

function seqFault(
  statement: ReleaseStatement,
  { keys, payloadSha256, memory }: { keys: string; payloadSha256: string; memory: TrustMemory },
  name: string,
): Refused | null {
  const highest = memory.seq.find((mark) => mark.keys === keys);
  if (highest === undefined || statement.seq > highest.value) return null;
  if (statement.seq < highest.value) {
    const message = `${name}: expected seq ${highest.value} or more, found ${statement.seq}: an older release was put back; sign a new one with a higher seq`;
    return refused('seq_rollback', message);
  }
  if (highest.payload_sha256 === null || highest.payload_sha256 === payloadSha256) return null;
  const message = `${name}: two different releases are signed with seq ${statement.seq} (payloads ${highest.payload_sha256} and ${payloadSha256}): a release key may be in other hands; find out before signing with a higher seq`;
  return refused('seq_equivocation', message);
}

/** SHA-256 and length of the raw bytes against what the statement binds. */
export function boundFileMatches(bytes: Uint8Array, bound: { sha256: string; length: number }): boolean {
  return bytes.byteLength === bound.length && sha256Hex(bytes) === bound.sha256;
}
