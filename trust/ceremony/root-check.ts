import { readSignedDocument } from '../jws.ts';
import { countSignatures, parseRoot, type SignatureCount } from '../root.ts';
import { CeremonyError, type DraftDocument, serialiseDocument } from './draft.ts';

export interface RootCheck {
  readonly version: number;
  readonly expires: string;
  /** By the root keys of the document itself. */
  readonly own: SignatureCount;
  /** By the root keys of the previous document, or null when none was given. */
  readonly previous: SignatureCount | null;
  /** True when an agent would take it: every threshold that applies is met. */
  readonly complete: boolean;
}

/** Which thresholds of a root document are met, by whom, and who could still sign. Signatures are checked, not counted. */
export async function checkRoot(document: DraftDocument, previous?: DraftDocument): Promise<RootCheck> {
  const { root } = readRoot(document, 'root');
  const before = previous === undefined ? null : readRoot(previous, 'previous root').root;
  if (before !== null && before.version + 1 !== root.version) {
    throw new CeremonyError(
      `expected a root of version ${before.version + 1} after root ${before.version}, found ${root.version}`,
    );
  }
  const own = await count(document, root);
  const byPrevious = before === null ? null : await count(document, before);
  const complete = own.met && (byPrevious?.met ?? true);
  return { version: root.version, expires: root.expires, own, previous: byPrevious, complete };
}

type ReadRoot = Extract<ReturnType<typeof parseRoot>, { kind: 'root' }>;

function readRoot(document: DraftDocument, name: string): ReadRoot {
  const read = parseRoot(Buffer.from(document.payload, 'base64url'), name);
  if (read.kind === 'refused') throw new CeremonyError(read.message);
  return read;
}

async function count(document: DraftDocument, root: ReadRoot['root']): Promise<SignatureCount> {
  if (document.signatures.length === 0) {
    const { keyids, threshold } = root.roles.root;
    return { threshold, signed: [], missing: [...keyids].sort(), met: false };
  }
  const bytes = Buffer.from(serialiseDocument(document), 'utf8');
  const read = readSignedDocument(bytes, 'root', 'edgeflows-root+jws');
  if (read.kind === 'refused') throw new CeremonyError(read.message);
  return countSignatures(read, root, 'root');
}
