import { constants } from 'node:fs';
import { lstat, open, readFile, rm, stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock, PartialDownload } from '../reconciler/ports.ts';
import { Sha256 } from '../schemas/names.ts';
import { DiskFullError } from '../system/disk-full-error.ts';
import { checkDirectory, entriesOf, removeTree } from './directories.ts';
import { namingDiskFull } from './io-setback.ts';
import { createPartialDownload, type Part, Sidecar } from './partial-download.ts';

/** How long what was begun may be resumed, and what is not needed is kept (contract, section 4). */
const KEPT_MS = 24 * 60 * 60 * 1000;
/** Windows has no such flag, and asks for a privilege to make a link. */
const NO_FOLLOW = constants.O_NOFOLLOW ?? 0;

interface Swept {
  readonly removed: number;
  readonly bytes: number;
}

export interface Downloads {
  /** The path of the verified download of this digest; null when none is kept. */
  kept(sha256: string): Promise<string | null>;
  /** One at a time a digest: the next waits until the first has finished or kept. `size`, when known, is checked against the disk. */
  open(sha256: string, size?: number | null): Promise<PartialDownload>;
  /** Forgets the verified download. */
  drop(sha256: string): Promise<void>;
  /** Removes partial and verified downloads older than a day, those of `keep` excepted. */
  sweep(now: Date, keep: ReadonlySet<string>, dryRun: boolean): Promise<Swept>;
  /** Of those only the partial ones. */
  sweepParts(now: Date): Promise<Swept>;
}

/** Crash protocol 2 and 3: `<sha256>.part` beside the validator it came with, and `<sha256>.bundle` once it is verified. */
export function createDownloads(staging: string, clock: Clock): Downloads {
  const opened = new Map<string, Promise<void>>();
  const bundlePath = (sha256: string) => join(staging, `${sha256}.bundle`);

  const sweepKinds = async (
    now: Date,
    wanted: (kind: string, sha256: string) => boolean,
    dryRun: boolean,
  ): Promise<Swept> => {
    let removed = 0;
    let bytes = 0;
    for (const entry of await entriesOf(staging)) {
      const [sha256 = '', kind = ''] = entry.name.split('.');
      if (!entry.isFile() || !Sha256.safeParse(sha256).success) continue;
      if (opened.has(sha256) || !wanted(kind, sha256)) continue;
      const path = join(staging, entry.name);
      const found = await stat(path).catch(() => null);
      if (found === null || now.getTime() - found.mtimeMs < KEPT_MS) continue;
      // The note beside a partial download goes with it; it is older than the last byte.
      const note = entry.name.endsWith('.json');
      if (note && (await stat(path.slice(0, -'.json'.length)).catch(() => null)) !== null) continue;
      if (!dryRun) {
        await rm(path, { force: true });
        if (kind === 'part') await rm(`${path}.json`, { force: true });
      }
      if (note) continue;
      removed += 1;
      bytes += found.size;
    }
    return { removed, bytes };
  };

  return {
    async kept(sha256) {
      const path = bundlePath(sha256);
      // Not through a link: where it leads is nobody's download.
      const found = await lstat(path).catch(() => null);
      return found?.isFile() === true ? path : null;
    },
    async open(sha256, size = null) {
      Sha256.parse(sha256);
      let busy = opened.get(sha256);
      while (busy !== undefined) {
        await busy;
        busy = opened.get(sha256);
      }
      let closed = () => {};
      opened.set(sha256, new Promise<void>((resolve) => (closed = resolve)));
      const onClosed = () => {
        opened.delete(sha256);
        closed();
      };
      try {
        const part = await openPart(staging, sha256, clock);
        await checkFreeSpace(staging, size === null ? 0 : size - part.offset).catch(
          async (error: unknown) => {
            await part.handle.close();
            throw error;
          },
        );
        return createPartialDownload({ staging, sha256, clock, onClosed, ...part });
      } catch (error) {
        onClosed();
        throw namingDiskFull(error, staging);
      }
    },
    drop: (sha256) => rm(bundlePath(sha256), { force: true }),
    sweep: (now, keep, dryRun) =>
      sweepKinds(now, (kind, sha256) => kind === 'part' || !keep.has(sha256), dryRun),
    sweepParts: (now) => sweepKinds(now, (kind) => kind === 'part', false),
  };
}

async function openPart(staging: string, sha256: string, clock: Clock): Promise<Part> {
  const path = join(staging, `${sha256}.part`);
  await checkDirectory(staging);
  // What is no file of ours would be written through, wait for a reader, or stay in the way.
  for (const place of [path, join(staging, `${sha256}.bundle`)]) {
    const there = await lstat(place).catch(() => null);
    if (there !== null && !there.isFile()) await removeTree(place);
  }
  const found = await lstat(path).catch(() => null);
  if (found?.isFile() === true && found.size > 0 && clock.now().getTime() - found.mtimeMs < KEPT_MS) {
    const validator = await readValidator(`${path}.json`);
    if (validator !== null)
      return { handle: await open(path, constants.O_RDWR | NO_FOLLOW), offset: found.size, validator };
  }
  const fresh = constants.O_RDWR | constants.O_CREAT | constants.O_TRUNC | NO_FOLLOW;
  return { handle: await open(path, fresh, 0o600), offset: 0, validator: null };
}

async function readValidator(path: string): Promise<string | null> {
  try {
    if (!(await lstat(path)).isFile()) return null;
    return Sidecar.parse(JSON.parse(await readFile(path, 'utf8'))).validator;
  } catch {
    return null;
  }
}

async function checkFreeSpace(staging: string, needed: number): Promise<void> {
  if (needed <= 0) return;
  const { bavail, bsize } = await statfs(staging);
  const free = bavail * bsize;
  if (free >= needed) return;
  throw new DiskFullError(
    staging,
    `expected ${needed} bytes free in ${staging} for a download, found ${free}`,
  );
}
