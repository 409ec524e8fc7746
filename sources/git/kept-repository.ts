import { existsSync } from 'node:fs';
import { mkdir, open, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { syncDirectory } from '../../system/atomic-file.ts';
import type { Fetched } from './fetcher-messages.ts';
import { type KeptRef, readRefs, readShallow, writeRefs, writeShallow } from './repository-refs.ts';

export function branchRef(slug: string): string {
  return `refs/heads/tenant/${slug}`;
}

/**
 * Moves what the fetcher child checked into the bare repository, refs last: until then a reader sees the old state, and a pack that
 * a crash left there is whole and harmless. The child could not fsync (design.md, crash protocol 5), so it is done here.
 */
export async function keepFetched(
  repository: string,
  branch: { slug: string; commit: string },
  scratch: string,
  fetched: Fetched,
): Promise<void> {
  await prepareRepository(repository, branch.slug);
  const before = readShallow(repository);
  const after = new Set(fetched.shallow);
  // Between the two the border is that of both: neither the old nor the new commits seem cut off where they are not.
  if (fetched.pack !== null) {
    const both = new Set([...before, ...after]);
    if (both.size !== before.size) await writeShallow(repository, both);
    await movePack(scratch, repository, fetched.pack);
  }
  const now = readShallow(repository);
  if (now.size !== after.size || [...after].some((commit) => !now.has(commit))) {
    await writeShallow(repository, after);
  }
  await writeRefs(repository, refsAfter(readRefs(repository), branch, fetched));
}

function refsAfter(
  before: ReadonlyMap<string, KeptRef>,
  branch: { slug: string; commit: string },
  fetched: Fetched,
): Map<string, KeptRef> {
  const refs = new Map<string, KeptRef>();
  for (const [name, ref] of before) {
    if (fetched.tags === null || !name.startsWith('refs/tags/')) refs.set(name, ref);
  }
  for (const { name, oid, peeled } of fetched.tags ?? []) refs.set(name, { oid, peeled });
  return refs.set(branchRef(branch.slug), { oid: branch.commit, peeled: null });
}

async function movePack(scratch: string, repository: string, checksum: string): Promise<void> {
  const folder = join(repository, 'objects', 'pack');
  // As git does: the index makes the pack visible, so it comes last.
  for (const name of [`pack-${checksum}.pack`, `pack-${checksum}.idx`]) {
    const from = join(scratch, 'objects', 'pack', name);
    await syncFile(from);
    await rename(from, join(folder, name));
  }
  await syncDirectory(folder);
}

/** What git takes for a bare repository (gitrepository-layout). */
async function prepareRepository(repository: string, slug: string): Promise<void> {
  if (existsSync(join(repository, 'HEAD'))) return;
  for (const folder of ['objects/pack', 'objects/info', 'refs/heads', 'refs/tags']) {
    await mkdir(join(repository, folder), { recursive: true, mode: 0o700 });
  }
  const config = '[core]\n\trepositoryformatversion = 0\n\tfilemode = false\n\tbare = true\n';
  await writeFile(join(repository, 'config'), config);
  await writeFile(join(repository, 'HEAD'), `ref: ${branchRef(slug)}\n`, { flush: true });
}

/**
 * What the packs are and take on disk. Every fetch of a commit adds one, believed or not, and the clean-up comes once a week: a server
 * with a new commit for every look would fill the disk meanwhile.
 */
export async function measureRepository(repository: string): Promise<{ packs: number; bytes: number }> {
  const folder = join(repository, 'objects', 'pack');
  if (!existsSync(folder)) return { packs: 0, bytes: 0 };
  const files = await readdir(folder);
  let bytes = 0;
  for (const name of files) bytes += (await stat(join(folder, name))).size;
  return { packs: files.filter((name) => name.endsWith('.pack')).length, bytes };
}

/** After a sign of damage: the cache is only a cache, and is fetched anew. */
export async function dropRepository(repository: string): Promise<void> {
  await rm(repository, { recursive: true, force: true });
}

async function syncFile(path: string): Promise<void> {
  const handle = await open(path, 'r+');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
