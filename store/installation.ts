import { randomUUID } from 'node:crypto';
import { chmod, constants, copyFile, mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Clock, Setback, UnpackCaps, VersionRecord } from '../reconciler/ports.ts';
import type { Unpacker } from './archive/unpacker.ts';
import { COMPLETE_FILE, type CompleteMark, writeCompleteMark } from './complete-mark.ts';
import { checkDirectory, entriesOf, makeDirectory, moveDirectory, removeTree } from './directories.ts';
import { createDirectorySync } from './directory-sync.ts';
import type { Downloads } from './downloads.ts';
import { isSystemError, toRetry } from './io-setback.ts';
import type { KnownTrees } from './known-trees.ts';
import { parseVersionPath, type StoreLayout, type VersionPlace } from './layout.ts';
import type { Trash } from './trash.ts';
import { hashFolder } from './tree-hash.ts';
import { createTreeSync, type TreeSync } from './tree-sync.ts';
import { listVersionFolders, toRecord } from './version-folders.ts';

/** Enough for 2 GiB on a slow card; a bundle that takes longer is tried again. */
const DEADLINE_BASE_MS = 60_000;
const DEADLINE_MS_A_MIB = 250;
const MIB = 1024 * 1024;

export interface BundleToInstall {
  readonly sha256: string;
  readonly path: string;
  readonly flow: string | null;
  readonly version: string;
}

type Contents = Pick<CompleteMark, 'tree_sha256' | 'files' | 'bytes'>;
type Filled = { readonly kind: 'filled'; readonly contents: Contents } | Setback;

export type Install = (
  bundle: BundleToInstall,
  caps: UnpackCaps,
  signal: AbortSignal,
) => Promise<{ kind: 'unpacked'; record: VersionRecord } | Setback>;

/**
 * Crash protocol 4 to 6: a fresh folder is filled from the kept download (or from a complete version of the same digest), made
 * durable, marked complete, and renamed to its place, where whatever was there before makes way through the trash.
 */
export function createInstall(deps: {
  layout: StoreLayout;
  downloads: Downloads;
  unpacker: Unpacker;
  trash: Trash;
  knownTrees: KnownTrees;
  clock: Clock;
}): Install {
  const { layout, downloads, unpacker, trash, knownTrees, clock } = deps;
  const syncFolder = createDirectorySync();

  const fill = async (
    sha256: string,
    into: string,
    sync: TreeSync,
    caps: UnpackCaps,
    signal: AbortSignal,
  ): Promise<Filled> => {
    const bundle = await downloads.kept(sha256);
    if (bundle === null) return copyVersion({ layout, knownTrees, sync }, sha256, into, signal);
    const deadlineMs = DEADLINE_BASE_MS + (caps.maxBytes / MIB) * DEADLINE_MS_A_MIB;
    const answer = await unpacker.unpack({ bundle, sha256, into, ...caps }, (made) => sync.add(made), {
      signal,
      deadlineMs: Math.ceil(deadlineMs),
    });
    switch (answer.kind) {
      case 'unpacked':
        return { kind: 'filled', contents: answer };
      case 'refused':
        return { kind: 'stalled', code: answer.code, message: answer.message, rule: answer.rule };
      case 'altered':
        await downloads.drop(sha256);
        return {
          kind: 'retry',
          code: 'io_error',
          message: `expected the kept download to be ${sha256}, found ${answer.found}: it changed on disk and is fetched again`,
        };
      case 'failed':
        return toRetry(
          Object.assign(new Error(answer.message), { code: answer.code }),
          `unpacking to ${into}`,
        );
      case 'timeout':
        return { kind: 'retry', code: 'timeout', message: answer.message };
      case 'lost':
        return { kind: 'retry', code: 'io_error', message: answer.message };
    }
  };

  const putInPlace = async (from: string, place: VersionPlace, path: string) => {
    const target = join(layout.tenant, path);
    if (place.flow !== null) await makeFlowDirectory(layout, place.flow);
    const replaced = await moveOver(from, target, trash);
    // Not before the move, which needs the right to write to the folder.
    await chmod(target, 0o555);
    // Up to the tenant's folder: those in between may be new.
    const above = place.flow === null ? [layout.tenant] : [dirname(target), layout.flows, layout.tenant];
    await Promise.all(above.map(syncFolder));
    // What cannot be removed now goes with the trash at the next start.
    if (replaced !== null) await removeTree(replaced).catch(() => undefined);
  };

  return async (bundle, caps, signal) => {
    const place = parseVersionPath(bundle.path);
    if (place === null || place.flow !== bundle.flow || place.version !== bundle.version) {
      throw new Error(`expected the place of ${bundle.version}, found the path ${bundle.path}`);
    }
    // A link that was put there since the start would lead the child out.
    for (const folder of [layout.staging, layout.unpacking, layout.tenant, layout.flows, layout.trash])
      await checkDirectory(folder);
    const into = join(layout.unpacking, randomUUID());
    const sync = createTreeSync(into);
    let placed = false;
    try {
      const filled = await fill(bundle.sha256, into, sync, caps, signal);
      if (filled.kind !== 'filled') return filled;
      const { tree_sha256, files, bytes } = filled.contents;
      const mark: CompleteMark = {
        format: 1,
        sha256: bundle.sha256,
        tree_sha256,
        files,
        bytes,
        unpacked_at: clock.now().toISOString(),
      };
      // The mark counts only in its place, so it is made durable together with the rest.
      await writeCompleteMark(into, mark);
      await sync.add({ files: [COMPLETE_FILE], directories: ['.'] });
      await sync.drain();
      signal.throwIfAborted();
      knownTrees.remember(bundle.sha256, tree_sha256);
      await putInPlace(into, place, bundle.path);
      placed = true;
      return { kind: 'unpacked', record: toRecord(bundle.path, place, mark, true) };
    } catch (error) {
      signal.throwIfAborted();
      if (isSystemError(error)) return toRetry(error, `making the version ${bundle.path}`);
      throw error;
    } finally {
      if (!placed) {
        await sync.drain().catch(() => undefined);
        await removeTree(into).catch(() => undefined);
      }
    }
  };
}

async function makeFlowDirectory(layout: StoreLayout, flow: string): Promise<void> {
  const folder = join(layout.flows, flow);
  try {
    await makeDirectory(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    await makeDirectory(layout.flows);
    await makeDirectory(folder);
  }
}

/** Where what lay there has gone; null when the place was free, as it mostly is. */
async function moveOver(from: string, target: string, trash: Trash): Promise<string | null> {
  try {
    await moveDirectory(from, target);
    return null;
  } catch (error) {
    const taken = ['ENOTEMPTY', 'EEXIST', 'ENOTDIR', 'EPERM', 'EACCES'];
    if (!taken.includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
    const replaced = await trash.moveIn(target);
    if (replaced === null) throw error;
    await moveDirectory(from, target);
    return replaced;
  }
}

/** A version of the same digest, under another name, copied and compared with what it was when it was unpacked. */
async function copyVersion(
  deps: { layout: StoreLayout; knownTrees: KnownTrees; sync: TreeSync },
  sha256: string,
  into: string,
  signal: AbortSignal,
): Promise<Filled> {
  const { layout, knownTrees, sync } = deps;
  const same = (await listVersionFolders(layout)).filter(
    ({ mark }) => mark?.sha256 === sha256 && knownTrees.compare(mark) === 'same',
  );
  for (const { path, mark } of same) {
    if (mark === null) continue;
    await removeTree(into);
    await copyTree(join(layout.tenant, path), into, '', sync, signal);
    const found = await hashFolder(into, signal);
    if (found.kind === 'hashed' && found.sha256 === mark.tree_sha256)
      return { kind: 'filled', contents: mark };
  }
  return {
    kind: 'retry',
    code: 'io_error',
    message: `expected the download of ${sha256}, or an intact version of it, found neither: it must be fetched again`,
  };
}

async function copyTree(
  from: string,
  into: string,
  below: string,
  sync: TreeSync,
  signal: AbortSignal,
): Promise<void> {
  await mkdir(join(into, below), { mode: 0o700 });
  const files: string[] = [];
  for (const entry of await entriesOf(join(from, below))) {
    signal.throwIfAborted();
    const path = below === '' ? entry.name : `${below}/${entry.name}`;
    if (path === COMPLETE_FILE) continue;
    if (entry.isDirectory()) {
      await copyTree(from, into, path, sync, signal);
    } else if (entry.isFile()) {
      await copyFile(
        join(from, path),
        join(into, path),
        constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE,
      );
      files.push(path);
    }
  }
  await chmod(join(into, below), below === '' ? 0o755 : 0o555);
  await sync.add({ files, directories: below === '' ? [] : [below] });
}
