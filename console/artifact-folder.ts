import { createHash, randomUUID } from 'node:crypto';
import { constants, type Stats } from 'node:fs';
import { type FileHandle, link, mkdir, open, realpath, rename, rm } from 'node:fs/promises';
import { dirname, join, sep } from 'node:path';
import type { Readable } from 'node:stream';
import { isWindowsDeviceName } from '../schemas/names.ts';
import { syncDirectory } from '../system/atomic-file.ts';
import { RequestRefused } from './refusal.ts';

const SEGMENT = /^[A-Za-z0-9_][A-Za-z0-9._+~@=-]{0,199}$/;
const DEPTH_MAX = 8;

export interface Artifact {
  readonly handle: FileHandle;
  readonly size: number;
  readonly modified: Date;
  /** Strong: inode, size and time of change of the open file. An upload always makes a new inode. */
  readonly etag: string;
}

export interface ArtifactFolder {
  /** Opens `<slug>/<path>`; null when there is no such regular file. The caller closes the handle. */
  open(slug: string, path: string): Promise<Artifact | null>;
  /**
   * Writes all of `body` or nothing, durable when it resolves. `replace` false: 412 when the file is there (even one that
   * appeared meanwhile). More than `maxBytes`: 413.
   */
  write(
    slug: string,
    path: string,
    body: Readable,
    options: { readonly maxBytes: number; readonly replace: boolean },
  ): Promise<{ readonly sha256: string; readonly size: number; readonly created: boolean }>;
}

/** Segments of an artifact's path, or null when it has one that could mean another place or another thing on some platform. */
export function artifactSegments(path: string): string[] | null {
  const segments = path.split('/');
  const plain = (name: string) => SEGMENT.test(name) && !name.endsWith('.') && !isWindowsDeviceName(name);
  return segments.length <= DEPTH_MAX && segments.every(plain) ? segments : null;
}

export function createArtifactFolder(root: string): ArtifactFolder {
  return {
    async open(slug, path) {
      const segments = artifactSegments(path);
      if (segments === null) return null;
      const file = join(root, slug, ...segments);
      try {
        // A symbolic link that somebody put there must not lead out of the tenant's folder.
        const home = await realpath(join(root, slug));
        const real = await realpath(file);
        if (!real.startsWith(home + sep)) return null;
        const handle = await open(
          real,
          constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0),
        );
        const stats = await handle.stat();
        if (!stats.isFile()) {
          await handle.close();
          return null;
        }
        return { handle, size: stats.size, modified: stats.mtime, etag: etagOf(stats) };
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'ELOOP' || code === 'EISDIR') return null;
        throw error;
      }
    },
    async write(slug, path, body, { maxBytes, replace }) {
      const segments = artifactSegments(path);
      if (segments === null) {
        const message =
          'expected a path of at most 8 names made of letters, digits and ._+~@=-, none beginning with a dot';
        throw new RequestRefused(400, 'path_malformed', message);
      }
      const file = join(root, slug, ...segments);
      await mkdir(dirname(file), { recursive: true, mode: 0o700 });
      // The leading dot keeps it out of reach of `open`.
      const draft = join(root, slug, `.upload-${randomUUID()}`);
      try {
        const { sha256, size } = await receive(body, draft, maxBytes);
        const created = await publish(draft, file, replace);
        await syncDirectory(dirname(file));
        return { sha256, size, created };
      } finally {
        await rm(draft, { force: true });
      }
    },
  };
}

async function receive(
  body: Readable,
  draft: string,
  maxBytes: number,
): Promise<{ sha256: string; size: number }> {
  const handle = await open(draft, 'wx', 0o600);
  try {
    const hash = createHash('sha256');
    let size = 0;
    for await (const chunk of body as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > maxBytes) {
        throw new RequestRefused(413, 'too_large', `expected at most ${maxBytes} bytes, found more`);
      }
      hash.update(chunk);
      await handle.writeFile(chunk);
    }
    await handle.sync();
    return { sha256: hash.digest('hex'), size };
  } finally {
    await handle.close();
  }
}

async function publish(draft: string, file: string, replace: boolean): Promise<boolean> {
  try {
    // A link, unlike a rename, fails when the name is taken, however late that happened.
    await link(draft, file);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    if (!replace) {
      throw new RequestRefused(
        412,
        'artifact_exists',
        'expected no file of this name (If-None-Match: *), found one',
      );
    }
    await rename(draft, file);
    return false;
  }
}

function etagOf(stats: Stats): string {
  const parts = [stats.ino, stats.size, Math.round(stats.mtimeMs * 1_000)];
  return `"${parts.map((part) => part.toString(36)).join('-')}"`;
}
