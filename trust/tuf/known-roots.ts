import type { AcceptedRoot, Refused, TufMemory } from '../../reconciler/ports.ts';
import { tufFileName } from '../../schemas/tuf-files.ts';
import { refused } from '../refusal.ts';
import { readMetadata } from './metadata.ts';
import { type TufFiles } from './repository.ts';
import { followRoots, readTrustedRoot, type TufRootMetadata } from './root-walk.ts';

export type KnownRoots =
  | { readonly kind: 'walked'; readonly root: TufRootMetadata; readonly accepted: readonly AcceptedRoot[] }
  | (Refused & { readonly accepted: readonly AcceptedRoot[] });

/**
 * The root in force: from the pinned one through those that are remembered and those that are published. A root once accepted is
 * remembered with its text, so that withholding it leads nowhere; another document under a version that was accepted is refused.
 */
export async function walkKnownRoots(
  pinnedText: string,
  remembered: TufMemory['roots'],
  published: TufFiles,
): Promise<KnownRoots> {
  const accepted: AcceptedRoot[] = [];
  const pinned = readTrustedRoot(Buffer.from(pinnedText, 'utf8'), 'the pinned root (trust.root)');
  if (pinned.kind === 'refused') return { ...pinned, accepted };
  const known = new Map(remembered.map((root) => [tufFileName('root', root.version), root]));
  const pinnedAgain = await otherDocument(published, pinned.signed.version, pinned.signedSha256);
  if (pinnedAgain !== null) return { ...pinnedAgain, accepted };

  const files: TufFiles = {
    read: async (name, maxBytes) => {
      const before = known.get(name);
      return before === undefined ? published.read(name, maxBytes) : Buffer.from(before.document, 'utf8');
    },
  };
  const root = await followRoots(pinned, files, ({ signed, signedSha256, bytes }) => {
    if (known.has(tufFileName('root', signed.version))) return;
    const document = Buffer.from(bytes).toString('utf8');
    accepted.push({ version: signed.version, payload_sha256: signedSha256, document });
  });
  if (root.kind === 'refused') {
    const hint =
      remembered.length === 0 ? '' : '; if the root of trust was replaced on purpose, enrol this agent again';
    return { ...root, message: `${root.message}${hint}`, accepted };
  }
  for (const { version, payload_sha256: before } of remembered) {
    if (version > root.signed.version) {
      const message = `root ${version} was accepted before, but nothing leads there from the pinned root: expected metadata/${tufFileName('root', root.signed.version + 1)}, or a newer root in trust.root`;
      return { ...refused('root_gap', message), accepted };
    }
    const conflict = await otherDocument(published, version, before);
    if (conflict !== null) return { ...conflict, accepted };
  }
  return { kind: 'walked', root, accepted };
}

/** Of a root that is believed already: what is published under its version may be missing, and must not say something else. */
async function otherDocument(
  published: TufFiles,
  version: number,
  expected: string,
): Promise<Refused | null> {
  const name = tufFileName('root', version);
  const bytes = await published.read(name, Number.MAX_SAFE_INTEGER);
  if (!(bytes instanceof Uint8Array)) return null;
  const found = readMetadata('root', bytes, name);
  if (found.kind === 'metadata' && found.signedSha256 === expected) return null;
  const message = `${name}: expected root ${version} as it was accepted before, found another document of that version; if the root of trust was replaced on purpose, enrol this agent again`;
  return refused('root_conflict', message);
}
