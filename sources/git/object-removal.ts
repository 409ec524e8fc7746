import { existsSync, readdirSync, statSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { syncDirectory } from '../../system/atomic-file.ts';
import { idOf } from './git-objects.ts';
import type { ObjectReader, OpenPack } from './object-reader.ts';
import { writeCombinedPack } from './pack-combination.ts';
import { reachableObjects } from './reachability.ts';

/** With more packs than this they become one: every fetch adds a pack, and every look-up asks each of them. */
const MAX_PACKS = 16;

export interface RemovalOptions {
  readonly shallow: ReadonlySet<string>;
  /** Packs and loose objects written after this stay whole, and so does all they need. */
  readonly olderThanMs: number;
  readonly dryRun: boolean;
  readonly maxObjectBytes: number;
  /**
   * Called once before the first object goes, and not at all when none does: with the commits that stay while a parent of theirs
   * does not.
   */
  beforeRemoval(border: ReadonlySet<string>): Promise<void>;
}

interface LooseObject {
  readonly id: string;
  readonly path: string;
  readonly bytes: number;
  readonly modifiedMs: number;
}

/** Removes the objects that are neither `reached` nor needed by young ones. Counts and bytes as they lay on disk. */
export async function removeUnreached(
  repository: string,
  objects: ObjectReader,
  reached: { objects: ReadonlySet<string>; commits: ReadonlyMap<string, readonly string[]> },
  options: RemovalOptions,
): Promise<{ objects: number; bytes: number }> {
  const loose = looseObjects(repository);
  const packs = objects.packs().filter((pack) => !existsSync(`${pack.path}.keep`));
  const isYoung = (found: { modifiedMs: number }) => found.modifiedMs >= options.olderThanMs;
  const young = await reachableObjects(objects, {
    tips: [
      ...loose.filter(isYoung).map(({ id }) => id),
      ...objects
        .packs()
        .filter((pack) => isYoung(pack) || !packs.includes(pack))
        .flatMap(idsOf),
    ],
    shallow: options.shallow,
    oldestSeconds: Number.NEGATIVE_INFINITY,
    maxObjectBytes: options.maxObjectBytes,
  });
  const isGarbage = (id: string) => !reached.objects.has(id) && !young.objects.has(id);

  const garbageLoose = loose.filter((object) => !isYoung(object) && isGarbage(object.id));
  const dirty = packs.filter((pack) => !isYoung(pack) && idsOf(pack).some(isGarbage));
  const replaced = packs.length > MAX_PACKS ? packs : dirty;
  const gone = new Map(garbageLoose.map(({ id, bytes }) => [id, bytes]));
  for (const pack of dirty) for (const [id, bytes] of sizesIn(pack)) if (isGarbage(id)) gone.set(id, bytes);
  const bytes = [...gone.values()].reduce((sum, next) => sum + next, 0);
  const result = { objects: gone.size, bytes };
  if (options.dryRun || (gone.size === 0 && replaced.length === 0)) return result;

  const border = new Set<string>();
  for (const [id, parents] of [...reached.commits, ...young.commits]) {
    if (parents.some(isGarbage)) border.add(id);
  }
  await options.beforeRemoval(border);
  if (replaced.length > 0) {
    const staying = new Set(
      objects
        .packs()
        .filter((pack) => !replaced.includes(pack))
        .flatMap(idsOf),
    );
    const wanted = (id: string) => !isGarbage(id) && !staying.has(id);
    const written = await writeCombinedPack(replaced, wanted, options.maxObjectBytes);
    for (const pack of replaced) if (pack.path !== written) await removePack(pack.path);
    // They list what was in the packs that went; git makes them anew when it wants them.
    for (const stale of [
      'objects/pack/multi-pack-index',
      'objects/info/commit-graph',
      'objects/info/commit-graphs',
    ]) {
      await rm(join(repository, stale), { recursive: true, force: true });
    }
    await syncDirectory(join(repository, 'objects', 'pack'));
  }
  for (const { path } of garbageLoose) await rm(path, { force: true });
  return result;
}

function idsOf(pack: OpenPack): string[] {
  return Array.from({ length: pack.index.count }, (_, position) => pack.index.idAt(position));
}

/** Bytes that each object takes in the pack: up to where the next one begins. */
function sizesIn(pack: OpenPack): Map<string, number> {
  const { index } = pack;
  const at = Array.from({ length: index.count }, (_, position) => ({
    id: index.idAt(position),
    offset: index.offsetAt(position),
  })).sort((a, b) => a.offset - b.offset);
  const end = pack.bytes - 20;
  return new Map(at.map(({ id, offset }, position) => [id, (at[position + 1]?.offset ?? end) - offset]));
}

async function removePack(path: string): Promise<void> {
  for (const ending of ['idx', 'rev', 'bitmap', 'mtimes', 'promisor', 'pack']) {
    await rm(`${path}.${ending}`, { force: true });
  }
}

function looseObjects(repository: string): LooseObject[] {
  const root = join(repository, 'objects');
  return readdirSync(root)
    .filter((folder) => /^[0-9a-f]{2}$/.test(folder))
    .flatMap((folder) =>
      readdirSync(join(root, folder))
        .filter((name) => /^[0-9a-f]{38}$/.test(name))
        .map((name) => {
          const path = join(root, folder, name);
          const { size, mtimeMs } = statSync(path);
          return { id: idOf(folder + name), path, bytes: size, modifiedMs: mtimeMs };
        }),
    );
}
