import { TRIGGER_KEYS_FILE, TUF_FOLDER, TUF_TIMESTAMP_FILE } from '../reconciler/ports.ts';
import {
  TRIGGER_KEYS_MAX_BYTES,
  TUF_MAX_BYTES,
  TUF_MAX_TARGETS_FILES,
  tufFileName,
} from '../schemas/tuf-files.ts';

export interface FileRequest {
  readonly path: string;
  readonly maxBytes: number;
}

export interface TufHints {
  /** Every file that another one names was there. */
  readonly complete: boolean;
  /** More targets roles than a snapshot may name; none of them was asked for. */
  readonly tooMany: boolean;
}

/**
 * Which files beside the roots a TUF repository has for a client: asked for one after the other, each answered with its bytes or
 * null. Timestamp names snapshot, snapshot names targets. Believed by nobody here: a file that lies about the next one only leads
 * to a file that trust will miss.
 */
export function* tufFiles(): Generator<FileRequest, TufHints, Uint8Array | null> {
  yield { path: TRIGGER_KEYS_FILE, maxBytes: TRIGGER_KEYS_MAX_BYTES };
  const timestamp = yield { path: TUF_TIMESTAMP_FILE, maxBytes: TUF_MAX_BYTES.timestamp };
  const version = namedFiles(timestamp).get('snapshot.json');
  if (version === undefined) return { complete: false, tooMany: false };
  const ask = (role: string, of: number | null, type: 'snapshot' | 'targets') => ({
    path: `${TUF_FOLDER}/${tufFileName(role, of)}`,
    maxBytes: TUF_MAX_BYTES[type],
  });
  const versioned = yield ask('snapshot', version, 'snapshot');
  // consistent snapshots have the version in every name, the others in none
  const snapshot = versioned ?? (yield ask('snapshot', null, 'snapshot'));
  const named = [...namedFiles(snapshot)].filter(([file]) => file.endsWith('.json'));
  if (named.length > TUF_MAX_TARGETS_FILES) return { complete: false, tooMany: true };
  let complete = snapshot !== null;
  for (const [file, of] of named) {
    const role = file.slice(0, -'.json'.length);
    const found = yield ask(role, versioned === null ? null : of, 'targets');
    complete &&= found !== null;
  }
  return { complete, tooMany: false };
}

/** What a targets file says of the SHA-256 of a path, or null. */
export function targetHint(targets: Uint8Array, path: string): string | null {
  const found = member(member(signedOf(targets), 'targets'), path);
  const sha256 = member(member(found, 'hashes'), 'sha256');
  return typeof sha256 === 'string' ? sha256 : null;
}

/** `meta` of a timestamp or a snapshot: file to version. */
function namedFiles(metadata: Uint8Array | null): Map<string, number> {
  const meta = metadata === null ? null : member(signedOf(metadata), 'meta');
  const entries = typeof meta === 'object' && meta !== null ? Object.entries(meta) : [];
  return new Map(
    entries.flatMap(([file, about]) => {
      const version = member(about, 'version');
      return Number.isSafeInteger(version) && (version as number) > 0 ? [[file, version as number]] : [];
    }),
  );
}

function signedOf(bytes: Uint8Array): unknown {
  try {
    return member(JSON.parse(new TextDecoder().decode(bytes)), 'signed');
  } catch {
    return null;
  }
}

function member(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined;
  return (value as Readonly<Record<string, unknown>>)[name];
}
