import { createHash } from 'node:crypto';
import { MANIFEST_FILE, TUF_FOLDER, TUF_TIMESTAMP_FILE } from '../../reconciler/ports.ts';
import { TUF_MAX_BYTES, TUF_MAX_ROOTS, tufFileName } from '../../schemas/tuf-files.ts';
import { type FileRequest, targetHint, tufFiles } from '../tuf-files.ts';
import type { KeptFile } from './kept-snapshots.ts';
import { type RawFiles, SourceSetback } from './raw-files.ts';

/** Of all metadata of one release. */
const MAX_TOTAL_BYTES = 32 * 1_024 * 1_024;

export interface TufMetadata {
  readonly files: ReadonlyMap<string, KeptFile>;
  /** Every file that another names is there, and the manifest is the one that some targets file lists. */
  readonly settled: boolean;
}

/**
 * The metadata of a TUF repository beside the manifest: roots above the one in force, then what timestamp and snapshot name. All
 * of it is asked for with its ETag, also what carries its version in its name: a copy that somebody spoilt must not be kept for ever.
 */
export async function readTufMetadata(
  raw: RawFiles,
  seen: { readonly timestamp: KeptFile; readonly manifest: Uint8Array; readonly slug: string },
  known: ReadonlyMap<string, KeptFile>,
  rootInForce: number,
): Promise<TufMetadata> {
  const files = new Map<string, KeptFile>();
  let total = 0;
  const get = async ({ path, maxBytes }: FileRequest): Promise<KeptFile | null> => {
    const before = known.get(path) ?? null;
    const found = await raw.get(path, Math.min(maxBytes, MAX_TOTAL_BYTES - total), before);
    if (found.kind === 'missing') return null;
    total += found.file.bytes.byteLength;
    files.set(path, found.file);
    return found.file;
  };

  for (let version = rootInForce + 1; version <= rootInForce + TUF_MAX_ROOTS; version += 1) {
    const root = await get({
      path: `${TUF_FOLDER}/${tufFileName('root', version)}`,
      maxBytes: TUF_MAX_BYTES.root,
    });
    if (root === null) break;
  }
  const listed: (string | null)[] = [];
  const asking = tufFiles();
  let asked = asking.next();
  while (asked.done !== true) {
    const found = asked.value.path === TUF_TIMESTAMP_FILE ? seen.timestamp : await get(asked.value);
    if (found !== null) listed.push(targetHint(found.bytes, `tenant/${seen.slug}/${MANIFEST_FILE}`));
    asked = asking.next(found?.bytes ?? null);
  }
  if (asked.value.tooMany) {
    const message = 'expected at most 1024 targets roles in snapshot.json, found more';
    throw new SourceSetback({ kind: 'retry', code: 'source_too_large', message });
  }
  const hints = listed.filter((hint) => hint !== null);
  const sha256 = createHash('sha256').update(seen.manifest).digest('hex');
  const settled = asked.value.complete && (hints.length === 0 || hints.includes(sha256));
  return { files, settled };
}
