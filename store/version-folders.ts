import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import type { VersionRecord } from '../reconciler/ports.ts';
import { type CompleteMark, readCompleteMark } from './complete-mark.ts';
import { entriesOf } from './directories.ts';
import { isVersionDirectory, parseVersionPath, type StoreLayout, type VersionPlace } from './layout.ts';

/** A folder in a place where only versions are. `mark` is null when it is not complete. */
export interface VersionFolder {
  readonly path: string;
  readonly place: VersionPlace;
  readonly mark: CompleteMark | null;
}

/** Every folder that lies where versions lie, complete or not. Links, files and names no version can have are not ours. */
export async function listVersionFolders(layout: StoreLayout): Promise<VersionFolder[]> {
  const paths: string[] = [];
  for (const entry of await entriesOf(layout.tenant)) {
    if (entry.isDirectory() && parseVersionPath(entry.name) !== null) paths.push(entry.name);
  }
  for (const flow of await entriesOf(layout.flows)) {
    if (!flow.isDirectory()) continue;
    for (const entry of await entriesOf(join(layout.flows, flow.name))) {
      const path = `flows/${flow.name}/${entry.name}`;
      if (entry.isDirectory() && isVersionDirectory(entry.name) && parseVersionPath(path) !== null)
        paths.push(path);
    }
  }
  const folders: VersionFolder[] = [];
  for (const path of paths) {
    const place = parseVersionPath(path);
    if (place === null) continue;
    // Others have their turn: a disk that was asleep answers in milliseconds.
    await setImmediate();
    folders.push({ path, place, mark: readCompleteMark(join(layout.tenant, path)) });
  }
  return folders.sort((a, b) => (a.path < b.path ? -1 : 1));
}

export function toRecord(
  path: string,
  place: VersionPlace,
  mark: CompleteMark,
  made: boolean,
): VersionRecord {
  return {
    version: place.version,
    flow: place.flow,
    sha256: mark.sha256,
    path,
    bytes: mark.bytes,
    files: mark.files,
    unpacked_at: mark.unpacked_at,
    made,
  };
}
