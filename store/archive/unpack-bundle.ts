import { createHash, type Hash, hash } from 'node:crypto';
import { chmodSync, mkdirSync, statfsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { ArchiveRefusal } from './archive-refusal.ts';
import { type BundleContent, openBundle } from './bundle-content.ts';
import { createFileWriter } from './file-writer.ts';
import { createMemberTree, type MemberTree } from './member-tree.ts';
import { createTarReader, type TarHandler } from './tar-reader.ts';
import type { Made, UnpackAnswer, UnpackRequest } from './unpack-messages.ts';

/** What a tar stream may hold beside contents: headers, long names, padding. */
const OVERHEAD_BYTES_A_MEMBER = 4_096;
const OVERHEAD_BYTES = 1024 * 1024;
/** Told to the parent in batches, so that it makes them durable while the next ones are written. */
const BATCH_FILES = 64;
const BATCH_BYTES = 4 * 1024 * 1024;

/** On Windows a file that may not be written cannot be made durable afterwards: the parent closes it there. */
const FILE_MODES =
  process.platform === 'win32' ? { plain: 0o666, executable: 0o666 } : { plain: 0o444, executable: 0o555 };

/**
 * Crash protocol 4 and 5: lists the whole archive and refuses the bad before a byte is written; then reads it again, with the same
 * checks, and writes it to a fresh 0700 folder. Owner, setuid and times are dropped; files are 0444 or 0555, folders but the
 * outermost 0555 at the end. Both readings must be of the bytes that were verified. Never throws: the answer says what happened.
 */
export async function unpackBundle(
  request: UnpackRequest,
  onMade: (made: Made) => void,
): Promise<UnpackAnswer> {
  let content: BundleContent | null = null;
  try {
    content = openBundle(request.bundle);
    if (content === null) return { kind: 'altered', found: 'no regular file' };
    const { sha256: found, ...needed } = await list(content, request);
    if (found !== request.sha256) return { kind: 'altered', found };
    checkFreeSpace(needed, request.into);

    const written = createMemberTree(request);
    const writer = createTreeWriter(request.into, written, onMade);
    try {
      const again = await readInto(content, request, writer, () => writer.room());
      if (again !== request.sha256) return { kind: 'altered', found: again };
      await writer.seal();
    } finally {
      await writer.abandon();
    }
    return { kind: 'unpacked', files: written.files, bytes: written.bytes, tree_sha256: written.sha256() };
  } catch (error) {
    if (error instanceof ArchiveRefusal) {
      // Bytes that rotted on disk are no reason to refuse what was released.
      const found = content?.sha256() ?? request.sha256;
      if (found !== request.sha256) return { kind: 'altered', found };
      return { kind: 'refused', code: error.code, rule: error.rule, message: error.message };
    }
    const { code = 'EIO', message } = error as NodeJS.ErrnoException;
    return { kind: 'failed', code, message };
  } finally {
    content?.close();
  }
}

async function readInto(
  content: BundleContent,
  caps: UnpackRequest,
  handler: TarHandler,
  room: () => Promise<void> | undefined = () => undefined,
): Promise<string> {
  const reader = createTarReader(handler);
  const maxBytes = caps.maxBytes + caps.maxFiles * OVERHEAD_BYTES_A_MEMBER + OVERHEAD_BYTES;
  const sha256 = await content.read(maxBytes, (piece) => {
    reader.write(piece);
    return room();
  });
  reader.close();
  return sha256;
}

/** Only counts stay of it: the tree of the second pass needs the memory. */
async function list(
  content: BundleContent,
  request: UnpackRequest,
): Promise<{ sha256: string; bytes: number; members: number }> {
  const tree = createMemberTree(request);
  const sha256 = await readInto(content, request, {
    member: (member) => void tree.add(member),
    data: () => undefined,
    end: () => undefined,
  });
  return { sha256, bytes: tree.bytes, members: tree.members };
}

/** Before the first byte, so that a full disk is said at once and not after gigabytes or a million empty files. */
function checkFreeSpace(needed: { bytes: number; members: number }, into: string): void {
  const { bavail, bsize, files, ffree } = statfsSync(dirname(into));
  const free = bavail * bsize;
  if (needed.bytes > free) throw noSpace(`${needed.bytes} bytes`, free, into);
  // Some file systems count none.
  if (files > 0 && needed.members > ffree) throw noSpace(`${needed.members} inodes`, ffree, into);
}

function noSpace(needed: string, found: number, into: string): Error {
  return Object.assign(new Error(`expected ${needed} free to unpack to ${into}, found ${found}`), {
    code: 'ENOSPC',
  });
}

interface TreeWriter extends TarHandler {
  /** Undefined when more may come; else when it may. */
  room(): Promise<void> | undefined;
  /** Ends the writing: the rest of the batch, and the folders read-only. Throws what failed. */
  seal(): Promise<void>;
  /** Resolves when nothing is open any more, whatever went wrong. */
  abandon(): Promise<void>;
}

function createTreeWriter(into: string, tree: MemberTree, onMade: (made: Made) => void): TreeWriter {
  let batch: string[] = [];
  let batchBytes = 0;
  const files = createFileWriter();
  let file: { size: number; digest: Hash | null } | null = null;

  mkdirSync(into, { mode: 0o700 });
  const flush = (directories: string[]) => {
    if (batch.length > 0 || directories.length > 0) onMade({ files: batch, directories });
    batch = [];
    batchBytes = 0;
  };
  const written = (path: string, size: number) => {
    batch.push(path);
    batchBytes += size;
    if (batch.length >= BATCH_FILES || batchBytes >= BATCH_BYTES) flush([]);
  };

  return {
    member(member) {
      const { path, directories } = tree.add(member);
      for (const directory of directories) mkdirSync(join(into, directory), { mode: 0o700 });
      if (member.kind === 'directory') return;
      const mode = member.executable ? FILE_MODES.executable : FILE_MODES.plain;
      const { size } = member;
      file = { size, digest: null };
      files.begin(join(into, path), mode, size, () => written(path, size));
    },
    data(bytes) {
      if (file === null) return;
      if (bytes.length === file.size) {
        tree.hashed(hash('sha256', bytes));
      } else {
        file.digest ??= createHash('sha256');
        file.digest.update(bytes);
      }
      files.piece(bytes);
    },
    end() {
      if (file === null) return;
      const { size, digest } = file;
      file = null;
      files.end();
      if (digest !== null) tree.hashed(digest.digest('hex'));
      else if (size === 0) tree.hashed(hash('sha256', ''));
    },
    room: () => files.room(),
    abandon: () => files.abandon(),
    async seal() {
      await files.settle();
      const directories = tree.directories();
      for (const directory of directories) chmodSync(join(into, directory), 0o555);
      // Flows may run as another account. The parent closes it once it is in its place.
      chmodSync(into, 0o755);
      flush([]);
      for (let at = 0; at < directories.length; at += BATCH_FILES)
        flush(directories.slice(at, at + BATCH_FILES));
    },
  };
}
