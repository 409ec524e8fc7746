import type { TufMemory } from '../reconciler/ports.ts';

/** True for the document of a TUF root, whatever it is worth: our own roots have a `payload`. */
export function looksLikeTufRoot(text: string): boolean {
  try {
    const document = JSON.parse(text) as unknown;
    return (
      typeof document === 'object' && document !== null && 'signed' in document && !('payload' in document)
    );
  } catch {
    return false;
  }
}

/** Why a TUF root that is to be pinned is none, or null. */
export async function tufRootFault(text: string): Promise<string | null> {
  const { readTrustedRoot } = await import('../trust/tuf/root-walk.ts');
  const root = readTrustedRoot(Buffer.from(text, 'utf8'), 'root');
  return root.kind === 'refused' ? root.message : null;
}

/** Why what is remembered does not lead on from a TUF root, or null. */
export async function tufMemoryFault(text: string, roots: TufMemory['roots']): Promise<string | null> {
  const { walkKnownRoots } = await import('../trust/tuf/known-roots.ts');
  const walk = await walkKnownRoots(text, roots, { read: async () => 'missing' });
  return walk.kind === 'refused' ? walk.message : null;
}
