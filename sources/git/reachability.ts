import { setImmediate as nextTurn } from 'node:timers/promises';
import { parseCommit, tagTarget, treeEntries } from './git-objects.ts';
import type { ObjectReader } from './object-reader.ts';

/** So many objects are read before others get their turn. */
const OBJECTS_A_TURN = 256;

/** Commits that lead up to `tips`, with the committer's time in seconds; history ends at `shallow` ones and where parents are missing. */
export async function reachableCommits(
  objects: ObjectReader,
  tips: readonly string[],
  shallow: ReadonlySet<string>,
  maxBytes: number,
): Promise<Map<string, number>> {
  const reached = new Map<string, number>();
  const next = [...tips];
  for (let id = next.pop(); id !== undefined; id = next.pop()) {
    if (reached.has(id)) continue;
    const found = objects.read(id, maxBytes);
    if (found?.kind !== 'commit') continue;
    const commit = parseCommit(found.content);
    reached.set(id, commit.committer.time?.seconds ?? 0);
    if (!shallow.has(id)) next.push(...commit.parents);
    if (reached.size % OBJECTS_A_TURN === 0) await nextTurn();
  }
  return reached;
}

export interface Reach {
  readonly tips: readonly string[];
  readonly shallow: ReadonlySet<string>;
  /** Parents of an older time are not followed. */
  readonly oldestSeconds: number;
  readonly maxObjectBytes: number;
}

/** Everything the tips need, and the parents of the commits among it, followed or not. */
export async function reachableObjects(
  objects: ObjectReader,
  reach: Reach,
): Promise<{ objects: Set<string>; commits: Map<string, readonly string[]> }> {
  const reached = new Set<string>();
  const commits = new Map<string, readonly string[]>();
  const next = [...reach.tips];
  let read = 0;
  for (let id = next.pop(); id !== undefined; id = next.pop()) {
    if (reached.has(id)) continue;
    const found = objects.read(id, reach.maxObjectBytes);
    if (found === null) continue;
    reached.add(id);
    read += 1;
    if (read % OBJECTS_A_TURN === 0) await nextTurn();
    if (found.kind === 'commit') {
      const { tree, parents } = parseCommit(found.content);
      commits.set(id, parents);
      next.push(tree);
      if (!reach.shallow.has(id)) next.push(...parents.filter((parent) => isYoung(objects, parent, reach)));
    } else if (found.kind === 'tag') {
      next.push(tagTarget(found.content));
    } else if (found.kind === 'tree') {
      for (const entry of treeEntries(found.content)) {
        if (entry.mode === '40000') next.push(entry.id);
        // What is in a file matters to nobody here: it need not be inflated.
        else if (entry.mode !== '160000') reached.add(entry.id);
      }
    }
  }
  return { objects: reached, commits };
}

function isYoung(objects: ObjectReader, commit: string, reach: Reach): boolean {
  if (reach.oldestSeconds === Number.NEGATIVE_INFINITY) return true;
  const found = objects.read(commit, reach.maxObjectBytes);
  if (found?.kind !== 'commit') return false;
  return (parseCommit(found.content).committer.time?.seconds ?? 0) >= reach.oldestSeconds;
}
