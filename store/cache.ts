import { lstat, rmdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Clock, StateDocuments, VersionStore } from '../reconciler/ports.ts';
import { createUnpacker, type SpawnChild } from './archive/unpacker.ts';
import { COMPLETE_FILE, readCompleteMark } from './complete-mark.ts';
import { entriesOf } from './directories.ts';
import { createDiskUsage } from './disk-usage.ts';
import { createDownloads } from './downloads.ts';
import { checkVersion } from './drift.ts';
import { createInstall } from './installation.ts';
import { createKnownIntact } from './known-intact.ts';
import { createKnownTrees } from './known-trees.ts';
import { parseVersionPath, storeLayout } from './layout.ts';
import { applyChanges, applyHeld, createPointer, laterSeq } from './pointer.ts';
import { namedPaths, recover } from './recovery.ts';
import { createTrash } from './trash.ts';
import { listVersionFolders, toRecord } from './version-folders.ts';

export interface VersionStoreOptions {
  /** `edge_cache_dir`, absolute; it may itself be a symbolic link. */
  readonly cacheDirectory: string;
  readonly slug: string;
  /** `<edge_cache_dir>/.agent`: on the same file system, as versions are renamed out of it. */
  readonly stateDirectory: string;
  readonly documents: StateDocuments;
  readonly spawnChild: SpawnChild;
  readonly clock: Clock;
}

/**
 * Versions, the pointer and the downloads of one tenant on disk (contract, section 4; design.md, crash protocol). Nothing is
 * read before the first call. `recover` comes first and under the lock: it makes the folders. `current` throws `PointerError` when
 * the pointer cannot be believed. What the pointer names is refused to `remove`.
 */
export function createVersionStore(options: VersionStoreOptions): VersionStore {
  const { cacheDirectory, slug, stateDirectory, documents, spawnChild, clock } = options;
  const layout = storeLayout(cacheDirectory, slug, stateDirectory);
  const pointer = createPointer(layout.pointer, documents);
  const downloads = createDownloads(layout.staging, clock);
  const trash = createTrash(layout.trash);
  const unpacker = createUnpacker({ spawnChild, read: [layout.staging], write: [layout.unpacking] });
  const knownTrees = createKnownTrees(documents);
  const install = createInstall({ layout, downloads, unpacker, trash, knownTrees, clock });
  const knownIntact = createKnownIntact(clock);
  const absolute = (path: string) => join(layout.tenant, placeOf(path).path);

  return {
    absolute,
    recover: (now) => recover({ layout, pointer, downloads, trash }, now),
    current: () => pointer.current(),
    async versions() {
      const folders = await listVersionFolders(layout);
      return folders.flatMap(({ path, place, mark }) =>
        mark === null ? [] : [toRecord(path, place, mark, knownTrees.compare(mark) === 'same')],
      );
    },
    async record(path) {
      const { place } = placeOf(path);
      const found = await lstat(absolute(path)).catch(() => null);
      if (found?.isDirectory() !== true) return null;
      const mark = readCompleteMark(absolute(path));
      return mark === null ? null : toRecord(path, place, mark, knownTrees.compare(mark) === 'same');
    },
    hasBundle: async (sha256) => (await downloads.kept(sha256)) !== null,
    openDownload(sha256, size) {
      unpacker.warm();
      return downloads.open(sha256, size);
    },
    unpack: install,
    async rootFiles(path) {
      const entries = await entriesOf(absolute(path));
      return entries
        .filter((entry) => entry.isFile() && entry.name !== COMPLETE_FILE)
        .map(({ name }) => name);
    },
    async hasFile(path, relative) {
      if (relative === COMPLETE_FILE) return false;
      const segments = relative.split('/');
      if (segments.some((segment) => ['', '.', '..'].includes(segment)) || relative.includes('\\'))
        return false;
      const found = await lstat(join(absolute(path), ...segments)).catch(() => null);
      return found?.isFile() === true;
    },
    point: (changes, seq, alongside) =>
      pointer.change(
        (current) => applyChanges(current, changes, seq, clock),
        () => {
          knownTrees.write();
          alongside?.();
        },
      ),
    markApplied: (revision, seq) =>
      pointer.change((current) => ({ ...current, revision, seq: laterSeq(current.seq, seq) })),
    setHeld: (flow, held) => pointer.change((current) => applyHeld(current, flow, held)),
    async check(path, depth, signal) {
      const folder = absolute(path);
      const checked = await (depth === 'quick'
        ? checkVersion(folder, depth, signal)
        : knownIntact[depth](folder, signal));
      const mark = checked.kind === 'intact' ? readCompleteMark(folder) : null;
      if (mark === null || knownTrees.compare(mark) !== 'other') return checked;
      const message = `expected the version in ${folder} as it was unpacked, found a .complete of another tree`;
      return { kind: 'drifted', message };
    },
    async remove(path) {
      const { place } = placeOf(path);
      if (namedPaths(pointer.current()).has(path)) {
        throw new Error(`expected a version that current.json does not name, found ${path}: it stays`);
      }
      const bytes = readCompleteMark(absolute(path))?.bytes ?? 0;
      await trash.discard(absolute(path));
      knownIntact.forget(absolute(path));
      // The last version of a flow takes the flow's folder along.
      if (place.flow !== null) await rmdir(dirname(absolute(path))).catch(() => undefined);
      return bytes;
    },
    async sweep(now, keepBundles, dryRun) {
      const swept = await downloads.sweep(now, keepBundles, dryRun);
      if (!dryRun) {
        await trash.empty();
        const folders = await listVersionFolders(layout);
        knownTrees.keepOnly(new Set(folders.flatMap(({ mark }) => mark?.sha256 ?? [])));
      }
      return swept;
    },
    disk: createDiskUsage(layout, clock),
    close: () => unpacker.close(),
  };
}

/** Throws for a path that is no version's: nothing else is ever opened, written or removed. */
function placeOf(path: string) {
  const place = parseVersionPath(path);
  if (place === null) {
    throw new Error(`expected <version> or flows/<flow>/<version>, found the path ${JSON.stringify(path)}`);
  }
  return { path, place };
}
