import { type AcceptedRoot, type Refused, ROOT_FILE } from '../reconciler/ports.ts';
import type { Root } from '../schemas/root.ts';
import { readSignedDocument, type SignedDocument } from './jws.ts';
import { refused } from './refusal.ts';
import { countSignatures, describeShortfall, parseRoot } from './root.ts';

const MAX_ROOTS_IN_WALK = 1_024;

interface TrustedRoot {
  readonly kind: 'trusted';
  readonly root: Root;
  readonly payloadSha256: string;
}

export type RootWalk =
  | {
      readonly kind: 'walked';
      readonly root: Root;
      readonly accepted: readonly AcceptedRoot[];
      /** The version that is not there although later ones are, or null. Those later ones do not count. */
      readonly gap: number | null;
    }
  | (Refused & { readonly accepted: readonly AcceptedRoot[] });

/**
 * The root in force (contract, section 5): from the pinned one through n+1, n+2, … as long as there is a next, each signed by the
 * thresholds of both its predecessor and itself. A root comes from the snapshot; where that withholds one accepted before, the
 * remembered document stands in. `accepted` are roots not known before; they stay accepted when a later one is refused.
 * Expiry is the caller's: only the last one's matters.
 */
export async function walkRoots(
  pinnedText: string,
  remembered: readonly AcceptedRoot[],
  files: ReadonlyMap<string, Uint8Array>,
): Promise<RootWalk> {
  const accepted: AcceptedRoot[] = [];
  const pinned = await trustPinnedRoot(pinnedText, files);
  if (pinned.kind === 'refused') return { ...pinned, accepted };
  const known = new Map(remembered.map((root) => [root.version, root]));
  const conflict = conflictWith(known.get(pinned.root.version), pinned.payloadSha256, 'the pinned root');
  if (conflict !== null) return { ...conflict, accepted };

  let current: TrustedRoot = pinned;
  for (let steps = 0; ; steps += 1) {
    const version: number = current.root.version + 1;
    const before = known.get(version);
    const published = files.get(rootFileName(version));
    if (published === undefined && before === undefined) break;
    if (steps === MAX_ROOTS_IN_WALK) {
      const message = `expected at most ${MAX_ROOTS_IN_WALK} roots after the pinned one, found more; pin a newer root in trust.root`;
      return { ...refused('root_too_many', message), accepted };
    }
    const name = published === undefined ? `root ${version} as remembered` : rootFileName(version);
    const bytes = published ?? Buffer.from(before?.document ?? '', 'utf8');
    const next: TrustedRoot | Refused = await trustNextRoot(current.root, bytes, name, before);
    if (next.kind === 'refused') return { ...next, accepted };
    if (before === undefined) {
      const document = Buffer.from(bytes).toString('utf8');
      accepted.push({ version, payload_sha256: next.payloadSha256, document });
    }
    current = next;
  }

  const { version } = current.root;
  const lost = remembered.find((root) => root.version > version);
  if (lost !== undefined) {
    const message = `root ${lost.version} was accepted before, but nothing leads there from the pinned root: expected ${rootFileName(version + 1)} on the branch, or a newer root in trust.root`;
    return { ...refused('root_gap', message), accepted };
  }
  const beyond = [...files.keys()].some((path) => Number(ROOT_FILE.exec(path)?.[1] ?? 0) > version);
  return { kind: 'walked', root: current.root, accepted, gap: beyond ? version + 1 : null };
}

export function rootFileName(version: number): string {
  return `roots/${version}.root.jws.json`;
}

/** The owner of the machine vouches for the pinned document; it must still be whole, and signed by its own root keys. */
async function trustPinnedRoot(
  text: string,
  files: ReadonlyMap<string, Uint8Array>,
): Promise<TrustedRoot | Refused> {
  const pinned = await trustFirstRoot(Buffer.from(text, 'utf8'), 'the pinned root (trust.root)');
  if (pinned.kind === 'refused') return pinned;
  const name = rootFileName(pinned.root.version);
  const published = files.get(name);
  if (published === undefined) return pinned;
  const same = await trustFirstRoot(published, name);
  if (same.kind === 'refused') return same;
  if (same.payloadSha256 === pinned.payloadSha256) return pinned;
  const message = `${name}: expected the pinned root, found another document of version ${pinned.root.version}`;
  return refused('root_conflict', message);
}

async function trustFirstRoot(bytes: Uint8Array, name: string): Promise<TrustedRoot | Refused> {
  const document = readSignedDocument(bytes, name, 'edgeflows-root+jws');
  if (document.kind === 'refused') return document;
  const parsed = parseRoot(document.payload, name);
  if (parsed.kind === 'refused') return parsed;
  return trustOwnKeys(document, parsed.root, name);
}

async function trustNextRoot(
  previous: Root,
  bytes: Uint8Array,
  name: string,
  before: AcceptedRoot | undefined,
): Promise<TrustedRoot | Refused> {
  const document = readSignedDocument(bytes, name, 'edgeflows-root+jws');
  if (document.kind === 'refused') return document;
  const conflict = conflictWith(before, document.payloadSha256, name);
  if (conflict !== null) return conflict;
  const byPrevious = await countSignatures(document, previous, 'root');
  if (!byPrevious.met) {
    const message = `${name}: ${describeShortfall(byPrevious, 'root', previous.version)}; its predecessor must sign it too`;
    return refused('root_threshold_not_met', message);
  }
  const parsed = parseRoot(document.payload, name);
  if (parsed.kind === 'refused') return parsed;
  if (parsed.root.version !== previous.version + 1) {
    const message = `${name}: expected version ${previous.version + 1} as in its name, found ${parsed.root.version}`;
    return refused('root_name_mismatch', message);
  }
  return trustOwnKeys(document, parsed.root, name);
}

async function trustOwnKeys(
  document: SignedDocument,
  root: Root,
  name: string,
): Promise<TrustedRoot | Refused> {
  const own = await countSignatures(document, root, 'root');
  if (own.met) return { kind: 'trusted', root, payloadSha256: document.payloadSha256 };
  return refused('root_threshold_not_met', `${name}: ${describeShortfall(own, 'root', root.version)}`);
}

function conflictWith(before: AcceptedRoot | undefined, payloadSha256: string, name: string): Refused | null {
  if (before === undefined || before.payload_sha256 === payloadSha256) return null;
  const message = `${name}: expected the root ${before.version} accepted before (payload ${before.payload_sha256}), found another document of that version (payload ${payloadSha256}); if the root of trust was replaced on purpose, enrol this agent again`;
  return refused('root_conflict', message);
}
