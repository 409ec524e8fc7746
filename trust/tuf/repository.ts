import type { Refused } from '../../reconciler/ports.ts';
import type { RefusalCode } from '../../schemas/reasons.ts';
import type { TufMetaFile } from '../../schemas/tuf.ts';
import { TUF_MAX_BYTES } from '../../schemas/tuf-files.ts';
import { refused } from '../refusal.ts';
import {
  bytesFault,
  type Metadata,
  readMetadata,
  type Signers,
  shortfall,
  type TopLevelRole,
} from './metadata.ts';

export type FileRead = Uint8Array | 'missing' | 'too_large';

/** The metadata of a TUF repository, from wherever it comes: the files of one commit, or the network. */
export interface TufFiles {
  /** `2.root.json`, `timestamp.json`, `7.team%2Fa.json`. At most `maxBytes`; may reject for what is no statement about the file. */
  read(name: string, maxBytes: number): Promise<FileRead>;
}

/** What was believed before, and what is from now on. */
export interface TufKept {
  /** Copies of a role's metadata that were accepted once; those that today's keys did not sign count for nothing. */
  remembered(role: string): readonly Uint8Array[];
  /** Accepted, before anything that follows from it is looked at. */
  accept(role: string, metadata: Metadata<TopLevelRole>): void;
}

/**
 * Reads one file and holds it to what names it: length and hashes before it is parsed, then form and signatures. `refuses` is the
 * code of a threshold that is not met.
 */
export async function readSigned<T extends TopLevelRole>(
  files: TufFiles,
  name: string,
  asked: {
    readonly type: T;
    readonly role: string;
    readonly signers: Signers;
    readonly bound?: TufMetaFile;
    readonly refuses?: RefusalCode;
  },
): Promise<Metadata<T> | Refused> {
  const cap = TUF_MAX_BYTES[asked.type];
  const { bound } = asked;
  const read = await files.read(name, Math.min(bound?.length ?? cap, cap));
  if (read === 'missing') {
    return missingMetadata(name);
  }
  if (read === 'too_large') {
    const length = bound?.length;
    if (length !== undefined && length <= cap) {
      return refused('tuf_metadata_mismatch', `${name}: expected ${length} bytes, found more`);
    }
    return refused('document_too_large', `${name}: expected at most ${cap} bytes, found more`);
  }
  const differs = bound === undefined ? null : bytesFault(read, bound);
  if (differs !== null)
    return refused('tuf_metadata_mismatch', `${name}: ${differs}; it is not the file that was signed for`);
  const metadata = readMetadata(asked.type, read, name);
  if (metadata.kind === 'refused') return metadata;
  const missing = shortfall(metadata, asked.signers, asked.role);
  return missing === null ? metadata : refused(asked.refuses ?? 'threshold_not_met', `${name}: ${missing}`);
}

export function missingMetadata(name: string): Refused {
  return refused('tuf_metadata_missing', `expected metadata/${name}, found none; publish it`);
}

/** Of what is remembered of a role, the newest that the keys of today signed, or null. */
export function rememberedOf<T extends TopLevelRole>(
  kept: TufKept,
  type: T,
  role: string,
  signers: Signers,
): Metadata<T> | null {
  let newest: Metadata<T> | null = null;
  for (const bytes of kept.remembered(role)) {
    const metadata = readMetadata(type, bytes, `${role} as remembered`);
    if (metadata.kind === 'refused' || shortfall(metadata, signers, role) !== null) continue;
    if (newest === null || metadata.signed.version > newest.signed.version) newest = metadata;
  }
  return newest;
}
