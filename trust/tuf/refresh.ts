import type { Refused } from '../../reconciler/ports.ts';
import { tufFileName } from '../../schemas/tuf-files.ts';
import { refused } from '../refusal.ts';
import { hasExpired } from '../trusted-time.ts';
import { bytesFault, type Metadata, type TopLevelRole } from './metadata.ts';
import { readSigned, rememberedOf, type TufFiles, type TufKept } from './repository.ts';
import { type TufRootMetadata, topLevelSigners } from './root-walk.ts';

/** The top level of a repository, believed as it is at one time. */
export interface TufTopLevel {
  readonly kind: 'refreshed';
  readonly root: TufRootMetadata;
  readonly timestamp: Metadata<'timestamp'>;
  readonly snapshot: Metadata<'snapshot'>;
  /** The timestamp that is published has the version of the one believed and says something else; the one believed counts. */
  readonly conflicting: boolean;
}

/**
 * Timestamp and snapshot under the root in force (specification, 5.3.10 to 5.5): signatures, rollback against what is
 * remembered, freeze by the time given, and whether the two belong together. What is remembered counts only as far as the keys
 * of today signed it, which is how a repository recovers from a thief who ran the versions up (rotate the role's keys).
 */
export async function refreshTopLevel(
  root: TufRootMetadata,
  files: TufFiles,
  kept: TufKept,
  time: Date,
): Promise<TufTopLevel | Refused> {
  if (hasExpired(root.signed.expires, time)) {
    const { version, expires } = root.signed;
    const message = `expected a root that has not expired, found root ${version} with expires ${expires}; sign root ${version + 1}`;
    return refused('root_expired', message);
  }
  const timestamp = await takeTimestamp(root, files, kept, time);
  if (timestamp.kind === 'refused') return timestamp;
  const snapshot = await takeSnapshot(root, timestamp.timestamp, files, kept, time);
  if (snapshot.kind === 'refused') return snapshot;
  const { conflicting } = timestamp;
  return { kind: 'refreshed', root, timestamp: timestamp.timestamp, snapshot, conflicting };
}

type Timestamp = { kind: 'timestamp'; timestamp: Metadata<'timestamp'>; conflicting: boolean };

async function takeTimestamp(
  root: TufRootMetadata,
  files: TufFiles,
  kept: TufKept,
  time: Date,
): Promise<Timestamp | Refused> {
  const name = 'timestamp.json';
  const signers = topLevelSigners(root, 'timestamp');
  const before = rememberedOf(kept, 'timestamp', 'timestamp', signers);
  const found = await readSigned(files, name, { type: 'timestamp', role: 'timestamp', signers });
  if (found.kind === 'refused') return found;
  if (before !== null && found.signed.version === before.signed.version) {
    const conflicting = found.signedSha256 !== before.signedSha256;
    return expiredFault(before, name, time) ?? { kind: 'timestamp', timestamp: before, conflicting };
  }
  if (before !== null) {
    const fault =
      lowerThan(before.signed.version, found.signed.version, name) ??
      lowerThan(snapshotVersion(before), snapshotVersion(found), `${name}: snapshot.json`);
    if (fault !== null) return fault;
  }
  const expired = expiredFault(found, name, time);
  if (expired !== null) return expired;
  kept.accept('timestamp', found);
  return { kind: 'timestamp', timestamp: found, conflicting: false };
}

function snapshotVersion(timestamp: Metadata<'timestamp'>): number {
  return timestamp.signed.meta['snapshot.json'].version;
}

async function takeSnapshot(
  root: TufRootMetadata,
  timestamp: Metadata<'timestamp'>,
  files: TufFiles,
  kept: TufKept,
  time: Date,
): Promise<Metadata<'snapshot'> | Refused> {
  const bound = timestamp.signed.meta['snapshot.json'];
  const signers = topLevelSigners(root, 'snapshot');
  const before = rememberedOf(kept, 'snapshot', 'snapshot', signers);
  if (
    before !== null &&
    before.signed.version === bound.version &&
    bytesFault(before.bytes, bound) === null &&
    !hasExpired(before.signed.expires, time)
  ) {
    return before;
  }
  const name = tufFileName('snapshot', root.signed.consistent_snapshot ? bound.version : null);
  const found = await readSigned(files, name, { type: 'snapshot', role: 'snapshot', signers, bound });
  if (found.kind === 'refused') return found;
  const fault =
    (before === null ? null : snapshotRollback(before, found, name)) ??
    versionFault(found, bound.version, name, 'timestamp.json') ??
    expiredFault(found, name, time);
  if (fault !== null) return fault;
  kept.accept('snapshot', found);
  return found;
}

/** No file that it named before may be gone or older (specification, 5.5.5), and one version is one document. */
function snapshotRollback(
  before: Metadata<'snapshot'>,
  found: Metadata<'snapshot'>,
  name: string,
): Refused | null {
  for (const [file, { version }] of Object.entries(before.signed.meta)) {
    const now = Object.hasOwn(found.signed.meta, file) ? found.signed.meta[file] : undefined;
    if (now === undefined) {
      return refused('tuf_rollback', `${name}: expected ${file}, which was there before, found none`);
    }
    const fault = lowerThan(version, now.version, `${name}: ${file}`);
    if (fault !== null) return fault;
  }
  const fault = lowerThan(before.signed.version, found.signed.version, name);
  if (fault !== null) return fault;
  if (before.signed.version > found.signed.version || before.signedSha256 === found.signedSha256) return null;
  if (before.signed.version < found.signed.version) return null;
  return equivocation(name, found.signed.version);
}

export function equivocation(name: string, version: number): Refused {
  const message = `${name}: two different documents are signed as version ${version}: a key may be in other hands; find out before signing the next one`;
  return refused('tuf_equivocation', message);
}

function lowerThan(before: number, found: number, name: string): Refused | null {
  if (found >= before) return null;
  const message = `${name}: expected version ${before} or more, found ${found}: older metadata was put back; publish what is newest`;
  return refused('tuf_rollback', message);
}

export function versionFault(
  { signed }: Metadata<TopLevelRole>,
  expected: number,
  name: string,
  by: string,
): Refused | null {
  if (signed.version === expected) return null;
  const message = `${name}: expected version ${expected}, which ${by} names, found ${signed.version}: the files are not of one publication`;
  return refused('tuf_metadata_mismatch', message);
}

export function expiredFault({ signed }: Metadata<TopLevelRole>, name: string, time: Date): Refused | null {
  if (!hasExpired(signed.expires, time)) return null;
  const message = `${name}: expected metadata that has not expired, found version ${signed.version} with expires ${signed.expires}; sign it anew`;
  return refused('release_expired', message);
}
