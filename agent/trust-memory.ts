import type { StateDocuments, TrustMemory, TrustMemoryStore } from '../reconciler/ports.ts';
import type { SeqMark } from '../schemas/current.ts';
import { EMPTY_TRUST_MEMORY, mergeMemory, parseTrustMemory, withSeqMark } from '../trust/memory.ts';

/** Of the copy in agent.db. */
export const TRUST_DOCUMENT = 'trust';

/**
 * What trust remembers, in its three places: the database, the credentials folder and `current.json`. The highest of them
 * counts, so that losing one of them (or any two) opens no way back to an older release.
 */
export function createTrustMemory(
  documents: StateDocuments,
  credentials: TrustMemoryStore,
  pointerSeq: () => SeqMark | null,
): TrustMemoryStore {
  const inDatabase = (): TrustMemory => {
    const value = documents.read(TRUST_DOCUMENT);
    return value === undefined || value === null ? EMPTY_TRUST_MEMORY : parseTrustMemory(value, 'agent.db');
  };
  return {
    async load() {
      return withSeqMark(mergeMemory(inDatabase(), await credentials.load()), pointerSeq());
    },
    async save(memory) {
      const before = inDatabase();
      const whole = mergeMemory(before, memory);
      if (JSON.stringify(whole) !== JSON.stringify(before)) documents.write(TRUST_DOCUMENT, whole);
      await credentials.save(memory);
    },
  };
}
