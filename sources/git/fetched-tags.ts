import type { FetchedTag } from './fetcher-messages.ts';
import { type GitTime, idOf, parseCommit, tagTarget } from './git-objects.ts';
import type { ObjectReader } from './object-reader.ts';
import type { CheckedPack } from './pack-check.ts';
import type { RemoteRef } from './remote-refs.ts';
import { isRefName, type KeptRef } from './repository-refs.ts';
import { authorDay, isBuildTag, isStaleDay, oldestKeptDay } from './stale-tags.ts';

const MAX_NESTED_TAGS = 5;

interface Here {
  readonly commit: string;
  /** Of the kept repository. */
  readonly refs: ReadonlyMap<string, KeptRef>;
  readonly pack: CheckedPack | null;
  /** Scratch and kept repository together. */
  readonly objects: ObjectReader;
  /** Of one object. */
  readonly maxBytes: number;
  readonly now: Date;
  /** What the server was sent, `token` or `user:token`: a name that sends it back is left out. */
  readonly credentials: string | null;
}

/**
 * Which of the server's tags are kept: those whose commit is here. An annotated tag keeps its object when that came along
 * (include-tag), and is a plain ref to the commit when it did not. A `bld/*` tag that the clean-up would remove is not taken anew,
 * unless it is on the commit that is read. Names that git would not take, or that hold the token, are left out.
 */
export function chooseTags(
  remote: ReadonlyMap<string, RemoteRef>,
  here: Here,
): { tags: FetchedTag[]; unusable: number } {
  const oldestKept = oldestKeptDay(here.now);
  const token = here.credentials?.slice(here.credentials.indexOf(':') + 1) || null;
  const tags: FetchedTag[] = [];
  let unusable = 0;
  for (const [name, ref] of remote) {
    if (!isRefName(name) || (token !== null && name.includes(token))) {
      unusable += 1;
      continue;
    }
    const known = here.refs.get(name);
    if (known !== undefined && known.oid === ref.oid && (known.peeled ?? null) === ref.peeled) {
      tags.push({ name, ...known });
      continue;
    }
    const target = ref.peeled ?? ref.oid;
    const authored = authorOf(idOf(target), here);
    if (authored === 'no commit') continue;
    const fresh = known === undefined && target !== here.commit;
    if (fresh && isBuildTag(name.slice(10)) && isStaleDay(authorDay(authored), oldestKept)) continue;
    const annotated = ref.peeled !== null && leadsTo(idOf(ref.oid), idOf(target), here);
    tags.push({ name, oid: annotated ? ref.oid : target, peeled: annotated ? target : null });
  }
  return { tags, unusable };
}

function authorOf(id: string, { pack, objects, maxBytes }: Here): GitTime | null | 'no commit' {
  const packed = pack?.commits.get(id);
  if (packed !== undefined) return packed.authored;
  if (!objects.has(id)) return 'no commit';
  const found = objects.read(id, maxBytes);
  return found?.kind === 'commit' ? parseCommit(found.content).author.time : 'no commit';
}

/** Whether the tag object is here and leads to the commit the server named, over at most a few other tags. */
function leadsTo(tag: string, commit: string, { pack, objects, maxBytes }: Here): boolean {
  let at = tag;
  for (let step = 0; step < MAX_NESTED_TAGS && at !== commit; step += 1) {
    if (pack?.kinds.get(at) !== 'tag' && !objects.has(at)) return false;
    const found = objects.read(at, maxBytes);
    if (found?.kind !== 'tag') return false;
    at = tagTarget(found.content);
  }
  return at === commit;
}
