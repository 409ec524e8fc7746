import type { Refused } from '../../reconciler/ports.ts';
import { TUF_MAX_BYTES, TUF_MAX_ROOTS, tufFileName } from '../../schemas/tuf-files.ts';
import { refused } from '../refusal.ts';
import { type Metadata, readMetadata, type Signers, shortfall } from './metadata.ts';
import { readSigned, type TufFiles } from './repository.ts';

export type TufRootMetadata = Metadata<'root'>;

/** Who signs for a top-level role by the word of a root. */
export function topLevelSigners(
  root: TufRootMetadata,
  role: 'root' | 'timestamp' | 'snapshot' | 'targets',
): Signers {
  return { role: root.signed.roles[role], keys: root.signed.keys };
}

/** The root that the owner of the machine vouches for: it must be whole, and signed by its own root keys. It may have expired. */
export function readTrustedRoot(bytes: Uint8Array, name: string): TufRootMetadata | Refused {
  if (bytes.byteLength > TUF_MAX_BYTES.root) {
    return refused(
      'document_too_large',
      `${name}: expected at most ${TUF_MAX_BYTES.root} bytes, found ${bytes.byteLength}`,
    );
  }
  const root = readMetadata('root', bytes, name);
  if (root.kind === 'refused') return { ...root, code: 'root_malformed' };
  const missing = shortfall(root, topLevelSigners(root, 'root'), 'root');
  return missing === null ? root : refused('root_threshold_not_met', `${name}: ${missing}`);
}

/**
 * From the trusted root n to n+1, n+2, … as long as there is a next one, at most 1,024 (specification, 5.3): each signed by the
 * threshold of the one before and by its own. `accept` hears of each; those stay accepted when a later one is refused. Expiry is
 * the caller's: only the last one's matters.
 */
export async function followRoots(
  trusted: TufRootMetadata,
  files: TufFiles,
  accept: (root: TufRootMetadata) => void,
): Promise<TufRootMetadata | Refused> {
  let root = trusted;
  for (let steps = 0; ; steps += 1) {
    const version = root.signed.version + 1;
    const name = tufFileName('root', version);
    const signers = topLevelSigners(root, 'root');
    const next = await readSigned(files, name, {
      type: 'root',
      role: 'root',
      signers,
      refuses: 'root_threshold_not_met',
    });
    if (next.kind === 'refused') {
      if (next.code === 'tuf_metadata_missing') return root;
      return { ...next, message: `${next.message} (root ${root.signed.version} must sign its successor)` };
    }
    if (steps === TUF_MAX_ROOTS) {
      const message = `expected at most ${TUF_MAX_ROOTS} roots after the trusted one, found more; pin a newer root in trust.root`;
      return refused('root_too_many', message);
    }
    if (next.signed.version !== version) {
      const message = `${name}: expected version ${version} as in its name, found ${next.signed.version}`;
      return refused('root_name_mismatch', message);
    }
    const own = shortfall(next, topLevelSigners(next, 'root'), 'root');
    if (own !== null) return refused('root_threshold_not_met', `${name}: ${own}`);
    accept(next);
    root = next;
  }
}
