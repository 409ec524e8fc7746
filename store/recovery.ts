import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { RecoveryReport } from '../reconciler/ports.ts';
import type { Current } from '../schemas/current.ts';
import { removeAbandonedTemporaries, syncDirectory } from '../system/atomic-file.ts';
import { checkDirectory, entriesOf, makeDirectory, makePrivateDirectory, removeTree } from './directories.ts';
import type { Downloads } from './downloads.ts';
import type { StoreLayout } from './layout.ts';
import type { Pointer } from './pointer.ts';
import type { Trash } from './trash.ts';
import { listVersionFolders } from './version-folders.ts';

/** Folders that must be there and be ours before anything is read from or renamed into them. */
async function prepareDirectories(layout: StoreLayout): Promise<void> {
  await mkdir(layout.cache, { recursive: true });
  await makeDirectory(layout.tenant);
  await checkDirectory(layout.flows);
  makePrivateDirectory(layout.state);
  for (const folder of [layout.staging, layout.unpacking, layout.trash]) await makeDirectory(folder, 0o700);
  await Promise.all([layout.cache, layout.state, layout.staging].map(syncDirectory));
}

/**
 * Replays the crash protocol (design.md): the pointer is the truth and the database follows it; the trash and whatever is half
 * unpacked goes, partial downloads younger than a day stay. What the pointer names is never touched, only reported when it is not
 * whole. Doing it twice does nothing the second time.
 */
export async function recover(
  deps: { layout: StoreLayout; pointer: Pointer; downloads: Downloads; trash: Trash },
  now: Date,
): Promise<RecoveryReport> {
  const { layout, pointer, downloads, trash } = deps;
  await prepareDirectories(layout);
  const current = pointer.reload();
  const databaseFollowed = pointer.follow();

  let removedStaging = 0;
  for (const entry of await entriesOf(layout.unpacking)) {
    await removeTree(join(layout.unpacking, entry.name));
    removedStaging += 1;
  }
  const removedTrash = await trash.empty();
  const named = namedPaths(current);
  const folders = await listVersionFolders(layout);
  for (const { path, mark } of folders) {
    if (mark !== null || named.has(path)) continue;
    await trash.discard(join(layout.tenant, path));
    removedStaging += 1;
  }
  removedStaging += (await downloads.sweepParts(now)).removed;
  await removeAbandonedTemporaries(layout.tenant, now.getTime());

  const digests = new Map(folders.map(({ path, mark }) => [path, mark?.sha256]));
  const damaged = Object.entries(current.flows)
    .filter(([, flow]) => digests.get(flow.path) !== flow.sha256)
    .map(([id]) => id);
  return { removedStaging, removedTrash, damaged, databaseFollowed };
}

/** Paths of what is active and of what a rollback would go back to. */
export function namedPaths(current: Current): Set<string> {
  const active = Object.values(current.flows);
  return new Set(
    active.flatMap(({ path, previous }) => (previous === null ? [path] : [path, previous.path])),
  );
}
