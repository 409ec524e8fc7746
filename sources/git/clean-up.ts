import { existsSync } from 'node:fs';
import { hexOf, idOf, parseCommit, tagTarget } from './git-objects.ts';
import { type ObjectReader, openObjects } from './object-reader.ts';
import { removeUnreached } from './object-removal.ts';
import { reachableCommits, reachableObjects } from './reachability.ts';
import { type KeptRef, readRefs, readShallow, writeRefs, writeShallow } from './repository-refs.ts';
import { authorDay, isBuildTag, isStaleDay, oldestKeptDay } from './stale-tags.ts';

export interface CleanUpOptions {
  readonly slug: string;
  readonly now: Date;
  readonly keepDays: number;
  readonly dryRun: boolean;
  readonly maxObjectBytes: number;
}

const DAY_MS = 86_400_000;
const MAX_NESTED_TAGS = 32;

/**
 * The weekly clean-up (design.md "Clean-up of tags"): first the tags that the seed's script deletes, then the history of the branch
 * older than `keepDays` is cut off, then the objects that nothing reaches and that came more than `keepDays` ago. Short names of the
 * deleted tags, objects removed and the bytes they took. What stays is a repository that `git fsck` is content with.
 */
export async function cleanUpRepository(
  repository: string,
  options: CleanUpOptions,
): Promise<{ tags: string[]; objects: number; bytes: number }> {
  if (!existsSync(repository)) return { tags: [], objects: 0, bytes: 0 };
  const refs = readRefs(repository);
  const shallow = new Set([...readShallow(repository)].map(idOf));
  const objects = openObjects([repository]);
  try {
    const verdict = await staleTags(objects, refs, shallow, options);
    for (const name of verdict.stale) refs.delete(name);
    if (!options.dryRun && verdict.stale.length > 0) await writeRefs(repository, refs);

    const cutoff = options.now.getTime() - options.keepDays * DAY_MS;
    const reached = await reachableObjects(objects, {
      tips: [...refs.values()].map((ref) => idOf(ref.oid)),
      shallow,
      // Kept build tags stay reachable from the branch, else the script would never again see them as merged.
      oldestSeconds: Math.min(cutoff / 1_000, verdict.oldestKeptSeconds),
      maxObjectBytes: options.maxObjectBytes,
    });
    const removed = await removeUnreached(repository, objects, reached, {
      shallow,
      olderThanMs: cutoff,
      dryRun: options.dryRun,
      maxObjectBytes: options.maxObjectBytes,
      beforeRemoval: (border) => writeBorder(repository, shallow, border),
    });
    if (!options.dryRun && removed.objects > 0) await forgetMissing(repository);
    return { tags: verdict.stale.map((name) => name.slice(10)), ...removed };
  } finally {
    objects.close();
  }
}

/** As `git tag --merged tenant/<slug> | grep '^bld/'` and the comparison of days find them. */
async function staleTags(
  objects: ObjectReader,
  refs: ReadonlyMap<string, KeptRef>,
  shallow: ReadonlySet<string>,
  options: CleanUpOptions,
): Promise<{ stale: string[]; oldestKeptSeconds: number }> {
  const { maxObjectBytes } = options;
  const peel = (ref: KeptRef | undefined) =>
    ref === undefined ? null : peeled(objects, ref, maxObjectBytes);
  // The order in which git looks for a short name (gitrevisions): a tag of the branch's name goes before the branch.
  const short = `tenant/${options.slug}`;
  const tip = ['refs/', 'refs/tags/', 'refs/heads/'].map((place) => refs.get(place + short)).find(Boolean);
  const from = peel(tip);
  if (from === null) return { stale: [], oldestKeptSeconds: Number.POSITIVE_INFINITY };
  const merged = await reachableCommits(objects, [from], shallow, maxObjectBytes);
  const oldestKept = oldestKeptDay(options.now);
  const stale: string[] = [];
  let oldestKeptSeconds = Number.POSITIVE_INFINITY;
  for (const [name, ref] of refs) {
    if (!name.startsWith('refs/tags/') || !isBuildTag(name.slice(10))) continue;
    const target = peel(ref);
    if (target === null || !merged.has(target)) continue;
    const dated = peel(refs.get(`refs/${name.slice(10)}`)) ?? target;
    const found = objects.read(dated, maxObjectBytes);
    if (found === null) continue;
    const { author } = parseCommit(found.content);
    if (isStaleDay(authorDay(author.time), oldestKept)) stale.push(name);
    else oldestKeptSeconds = Math.min(oldestKeptSeconds, merged.get(target) ?? 0);
  }
  return { stale, oldestKeptSeconds };
}

/** The commit a ref leads to, or null when it leads to none that is here. */
function peeled(objects: ObjectReader, ref: KeptRef, maxBytes: number): string | null {
  let id = idOf(ref.oid);
  for (let step = 0; step < MAX_NESTED_TAGS; step += 1) {
    const found = objects.read(id, maxBytes);
    if (found?.kind === 'commit') return id;
    if (found?.kind !== 'tag') return null;
    id = tagTarget(found.content);
  }
  return null;
}

/** Written before objects go: git must never meet a commit whose parents are missing without having been told. */
async function writeBorder(
  repository: string,
  before: ReadonlySet<string>,
  border: ReadonlySet<string>,
): Promise<void> {
  if ([...border].every((commit) => before.has(commit))) return;
  await writeShallow(repository, new Set([...before, ...border].map(hexOf)));
}

async function forgetMissing(repository: string): Promise<void> {
  const objects = openObjects([repository]);
  try {
    const shallow = readShallow(repository);
    const present = new Set([...shallow].filter((oid) => objects.has(idOf(oid))));
    if (present.size < shallow.size) await writeShallow(repository, present);
  } finally {
    objects.close();
  }
}
