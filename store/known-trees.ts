import { z } from 'zod';
import type { StateDocuments } from '../reconciler/ports.ts';
import { Sha256 } from '../schemas/names.ts';
import type { CompleteMark } from './complete-mark.ts';

const PREFIX = 'store/tree/';
const KnownTree = z.object({ tree_sha256: Sha256 });

/** What came out of every bundle that this agent unpacked: a mark on disk says only what somebody wrote there. */
export interface KnownTrees {
  /** Known at once, written by the next `write`: a crash before that costs unpacking it again. */
  remember(sha256: string, treeSha256: string): void;
  /** Inside a transaction that is made anyway, as each of its own would cost fsyncs. */
  write(): void;
  /** `other`: the mark names a tree that did not come out of its bundle. `unknown`: this agent, or its state, never saw it unpacked. */
  compare(mark: Pick<CompleteMark, 'sha256' | 'tree_sha256'>): 'same' | 'other' | 'unknown';
  /** Forgets the bundles of which no version is left. */
  keepOnly(digests: ReadonlySet<string>): void;
}

/** One small document a digest: the same bundle always makes the same tree. */
export function createKnownTrees(documents: StateDocuments): KnownTrees {
  const fresh = new Map<string, string>();
  return {
    remember: (sha256, treeSha256) => void fresh.set(sha256, treeSha256),
    write() {
      for (const [sha256, tree_sha256] of fresh) {
        documents.write(`${PREFIX}${sha256}`, { tree_sha256 });
        documents.afterCommit(() => void fresh.delete(sha256));
      }
    },
    compare({ sha256, tree_sha256 }) {
      const made = fresh.get(sha256);
      if (made !== undefined) return made === tree_sha256 ? 'same' : 'other';
      const known = KnownTree.safeParse(documents.read(`${PREFIX}${sha256}`));
      if (!known.success) return 'unknown';
      return known.data.tree_sha256 === tree_sha256 ? 'same' : 'other';
    },
    keepOnly(digests) {
      documents.transaction(() => {
        for (const { key } of documents.list(PREFIX)) {
          if (!digests.has(key.slice(PREFIX.length))) documents.delete(key);
        }
      });
    },
  };
}
