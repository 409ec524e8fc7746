import { createHash, type Hash, hash } from 'node:crypto';
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import type { Transform } from 'node:stream';
import { constants, createGunzip, createZstdDecompress, gunzipSync, zstdDecompressSync } from 'node:zlib';
import { ArchiveRefusal } from './archive-refusal.ts';

/** Smaller pieces double the time (a turn through the thread pool each); larger ones only cost memory. */
const PIECE_BYTES = 512 * 1024;
/** A bundle up to this size is inflated in one go, when what comes out is at most `WHOLE_INFLATED_MAX_BYTES`. */
const WHOLE_MAX_BYTES = 512 * 1024;
const WHOLE_INFLATED_MAX_BYTES = 8 * 1024 * 1024;
/** Beyond so many bytes more than `RATIO_MAX` times the bundle's own size is a bomb. */
const RATIO_FREE_BYTES = 64 * 1024 * 1024;
const RATIO_MAX = 200;
/** 64 MiB: what `zstd --ultra -21` needs. The window is the only memory an archive can ask for. */
const ZSTD_WINDOW_LOG_MAX = 26;

const GZIP_MAGIC = [0x1f, 0x8b];
const ZSTD_MAGIC = [0x28, 0xb5, 0x2f, 0xfd];
const ZSTD_SKIPPABLE_MAGIC = [0x2a, 0x4d, 0x18];

export interface BundleContent {
  /**
   * Gives the tar stream inside the bundle, piece by piece, at most `maxBytes` of it, and resolves with the SHA-256 of the
   * bundle's bytes that it came from. Throws `ArchiveRefusal` for what is no gzip or zstd, is damaged, or inflates too far;
   * and what `onTar` throws. The pieces stay as they are; when `onTar` gives a promise, the next one waits for it.
   */
  read(maxBytes: number, onTar: (piece: Uint8Array) => Promise<void> | undefined): Promise<string>;
  /** The SHA-256 of the whole file as it is now. */
  sha256(): string;
  close(): void;
}

/** Opens a bundle once, for both passes. Throws the system's error. */
export function openBundle(path: string): BundleContent {
  const fd = openSync(path, 'r');
  const { size } = fstatSync(fd);
  let inflated: { content: Uint8Array; sha256: string } | null = null;

  const rawSha256 = () => {
    const digest = createHash('sha256');
    for (const piece of readPieces(fd)) digest.update(piece);
    return digest.digest('hex');
  };
  const check = (total: number, maxBytes: number) => {
    if (total > maxBytes) {
      throw new ArchiveRefusal(
        'caps_exceeded',
        `expected an archive of at most ${maxBytes} bytes inflated, found more`,
      );
    }
    if (total > RATIO_FREE_BYTES && total > size * RATIO_MAX) {
      throw new ArchiveRefusal(
        'caps_exceeded',
        `expected an archive of ${size} bytes to inflate at most ${RATIO_MAX} times, found more`,
      );
    }
  };

  return {
    sha256: rawSha256,
    close: () => closeSync(fd),
    async read(maxBytes, onTar) {
      if (inflated === null && size <= WHOLE_MAX_BYTES) inflated = inflateWhole(fd);
      if (inflated !== null) {
        check(inflated.content.length, maxBytes);
        await onTar(inflated.content);
        return inflated.sha256;
      }
      const digest = createHash('sha256');
      let total = 0;
      await inflate(fd, createInflater(detect(fd)), digest, (piece) => {
        total += piece.length;
        check(total, maxBytes);
        return onTar(piece);
      });
      return digest.digest('hex');
    },
  };
}

/**
 * Feeds the file to the inflater from two buffers in turn, and takes what comes out. Fresh buffers for a whole bundle would
 * cost 80 MB before they are collected.
 */
async function inflate(
  fd: number,
  inflater: Transform,
  digest: Hash,
  onPiece: (piece: Uint8Array) => Promise<void> | undefined,
): Promise<void> {
  const feed = async () => {
    for (const piece of readPieces(fd)) {
      digest.update(piece);
      await new Promise<void>((resolve) => inflater.write(piece, () => resolve()));
      if (inflater.destroyed) return;
    }
    inflater.end();
  };
  feed().catch((error: unknown) => inflater.destroy(error as Error));
  try {
    for await (const piece of inflater) {
      const room = onPiece(piece as Uint8Array);
      if (room !== undefined) await room;
    }
  } catch (error) {
    throw toRefusal(error);
  }
}

/** A piece is good until the next but one is asked for. */
function* readPieces(fd: number): Generator<Buffer> {
  const buffers = [Buffer.allocUnsafeSlow(PIECE_BYTES), Buffer.allocUnsafeSlow(PIECE_BYTES)] as const;
  for (let position = 0, turn = 0; ; turn ^= 1) {
    const buffer = turn === 0 ? buffers[0] : buffers[1];
    const length = readSync(fd, buffer, 0, PIECE_BYTES, position);
    if (length === 0) return;
    position += length;
    yield buffer.subarray(0, length);
  }
}

/** Null when too much comes out, so that it must be read in pieces. */
function inflateWhole(fd: number): { content: Uint8Array; sha256: string } | null {
  const bytes = Buffer.alloc(fstatSync(fd).size);
  readSync(fd, bytes, 0, bytes.length, 0);
  const kind = detect(fd);
  try {
    const content =
      kind === 'gzip'
        ? gunzipSync(bytes, { maxOutputLength: WHOLE_INFLATED_MAX_BYTES })
        : zstdDecompressSync(bytes, {
            maxOutputLength: WHOLE_INFLATED_MAX_BYTES,
            params: { [constants.ZSTD_d_windowLogMax]: ZSTD_WINDOW_LOG_MAX },
          });
    return { content, sha256: hash('sha256', bytes) };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') return null;
    throw toRefusal(error);
  }
}

function detect(fd: number): 'gzip' | 'zstd' {
  const start = new Uint8Array(4);
  readSync(fd, start, 0, 4, 0);
  const begins = (magic: readonly number[], from = 0) => magic.every((byte, at) => start[from + at] === byte);
  if (begins(GZIP_MAGIC)) return 'gzip';
  if (begins(ZSTD_MAGIC) || begins(ZSTD_SKIPPABLE_MAGIC, 1)) return 'zstd';
  throw new ArchiveRefusal(
    'archive_refused',
    `expected a bundle in .tar.gz or .tar.zst, found a file that begins with ${Buffer.from(start).toString('hex')}`,
  );
}

function createInflater(kind: 'gzip' | 'zstd'): Transform {
  const chunkSize = PIECE_BYTES;
  if (kind === 'gzip') return createGunzip({ chunkSize });
  return createZstdDecompress({
    chunkSize,
    params: { [constants.ZSTD_d_windowLogMax]: ZSTD_WINDOW_LOG_MAX },
  });
}

function toRefusal(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const { code = '' } = error as NodeJS.ErrnoException;
  if (!/^Z_|^ZSTD_|^ERR_ZSTD|^ERR_ZLIB/.test(code)) return error;
  const advice = code.includes('windowTooLarge') ? '; compress it with zstd -19 or a lower level' : '';
  return new ArchiveRefusal(
    'archive_refused',
    `expected whole compressed data in the bundle, found: ${error.message}${advice}`,
  );
}
