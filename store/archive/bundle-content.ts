import { createHash, type Hash, hash } from 'node:crypto';
import { closeSync, constants as flags, fstatSync, openSync, readSync } from 'node:fs';
import { constants, createGunzip, createZstdDecompress, gunzipSync, zstdDecompressSync } from 'node:zlib';
import { ArchiveRefusal } from './archive-refusal.ts';
import { detectCompression } from './compression.ts';

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

/** A pipe in the place of the file would wait for a writer, and a link would lead to bytes that were never verified. */
const OPEN_FLAGS = flags.O_RDONLY | (flags.O_NOFOLLOW ?? 0) | (flags.O_NONBLOCK ?? 0);

export interface BundleContent {
  /**
   * Gives the tar stream inside the bundle, piece by piece, at most `maxBytes` of it, and resolves with the SHA-256 of the
   * bundle's bytes that it came from. Throws `ArchiveRefusal` for what is no gzip or zstd, is damaged, has more behind its end, or
   * inflates too far; and what `onTar` throws. The pieces stay as they are; when `onTar` gives a promise, the next one waits for it.
   */
  read(maxBytes: number, onTar: (piece: Uint8Array) => Promise<void> | undefined): Promise<string>;
  /** The SHA-256 of the whole file as it is now: of a file that has grown, of one byte more than it had. */
  sha256(): string;
  close(): void;
}

/** Opens a bundle once, for both passes; null when there is no regular file in its place. Throws the system's error. */
export function openBundle(path: string): BundleContent | null {
  const fd = openRegular(path);
  if (fd === null) return null;
  const { size } = fstatSync(fd);
  let inflated: { content: Uint8Array; sha256: string } | null = null;

  const check = (total: number, maxBytes: number) => {
    if (total > maxBytes) {
      throw new ArchiveRefusal(
        'inflated_bytes',
        `expected an archive of at most ${maxBytes} bytes inflated, found more`,
      );
    }
    if (total > RATIO_FREE_BYTES && total > size * RATIO_MAX) {
      throw new ArchiveRefusal(
        'inflated_ratio',
        `expected an archive of ${size} bytes to inflate at most ${RATIO_MAX} times, found more`,
      );
    }
  };

  return {
    sha256() {
      const digest = createHash('sha256');
      for (const piece of readPieces(fd, size)) digest.update(piece);
      return digest.digest('hex');
    },
    close: () => closeSync(fd),
    async read(maxBytes, onTar) {
      if (inflated === null && size <= WHOLE_MAX_BYTES) inflated = inflateWhole(fd, size);
      if (inflated !== null) {
        check(inflated.content.length, maxBytes);
        await onTar(inflated.content);
        return inflated.sha256;
      }
      const digest = createHash('sha256');
      let total = 0;
      await inflate(fd, size, digest, (piece) => {
        total += piece.length;
        check(total, maxBytes);
        return onTar(piece);
      });
      return digest.digest('hex');
    },
  };
}

function openRegular(path: string): number | null {
  let fd: number;
  try {
    fd = openSync(path, OPEN_FLAGS);
  } catch (error) {
    // A link, a socket.
    if (['ELOOP', 'ENXIO'].includes((error as NodeJS.ErrnoException).code ?? '')) return null;
    throw error;
  }
  if (fstatSync(fd).isFile()) return fd;
  closeSync(fd);
  return null;
}

/**
 * Feeds the file to the inflater from two buffers in turn, and takes what comes out. Fresh buffers for a whole bundle would
 * cost 80 MB before they are collected.
 */
async function inflate(
  fd: number,
  size: number,
  digest: Hash,
  onPiece: (piece: Uint8Array) => Promise<void> | undefined,
): Promise<void> {
  const inflater = createInflater(fd);
  let fed = 0;
  let whole = false;
  const feed = async () => {
    for (const piece of readPieces(fd, size)) {
      digest.update(piece);
      fed += piece.length;
      await new Promise<void>((resolve) => inflater.write(piece, () => resolve()));
      if (inflater.destroyed) return;
    }
    whole = true;
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
  // Node ends the stream where the compressed data ends, whatever is behind it.
  if (!whole || inflater.bytesWritten !== fed) throw moreBehind();
}

/** A piece is good until the next but one is asked for. At most one byte more than `size`: a file may grow without end. */
function* readPieces(fd: number, size: number): Generator<Buffer> {
  const buffers = [Buffer.allocUnsafeSlow(PIECE_BYTES), Buffer.allocUnsafeSlow(PIECE_BYTES)] as const;
  for (let position = 0, turn = 0; position <= size; turn ^= 1) {
    const buffer = turn === 0 ? buffers[0] : buffers[1];
    const length = readSync(fd, buffer, 0, Math.min(PIECE_BYTES, size + 1 - position), position);
    if (length === 0) return;
    position += length;
    yield buffer.subarray(0, length);
  }
}

/** Null when too much comes out, so that it must be read in pieces. */
function inflateWhole(fd: number, size: number): { content: Uint8Array; sha256: string } | null {
  const bytes = Buffer.concat([...readPieces(fd, size)]);
  const kind = detectCompression(bytes);
  const params = { [constants.ZSTD_d_windowLogMax]: ZSTD_WINDOW_LOG_MAX };
  const options = { maxOutputLength: WHOLE_INFLATED_MAX_BYTES, info: true };
  try {
    const done =
      kind === 'gzip' ? gunzipSync(bytes, options) : zstdDecompressSync(bytes, { ...options, params });
    // `info` gives the engine beside the bytes, which its types do not say.
    const { buffer, engine } = done as unknown as { buffer: Buffer; engine: { bytesWritten: number } };
    if (engine.bytesWritten !== bytes.length) throw moreBehind();
    return { content: buffer, sha256: hash('sha256', bytes) };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') return null;
    throw toRefusal(error);
  }
}

function createInflater(fd: number) {
  const start = Buffer.alloc(PIECE_BYTES);
  const kind = detectCompression(start.subarray(0, readSync(fd, start, 0, start.length, 0)));
  const chunkSize = PIECE_BYTES;
  if (kind === 'gzip') return createGunzip({ chunkSize });
  return createZstdDecompress({
    chunkSize,
    params: { [constants.ZSTD_d_windowLogMax]: ZSTD_WINDOW_LOG_MAX },
  });
}

function moreBehind(): ArchiveRefusal {
  return new ArchiveRefusal(
    'compressed_tail',
    'expected nothing behind the compressed data of the bundle, found more bytes',
  );
}

function toRefusal(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const { code = '' } = error as NodeJS.ErrnoException;
  if (!/^Z_|^ZSTD_|^ERR_ZSTD|^ERR_ZLIB/.test(code)) return error;
  const found = `expected whole compressed data in the bundle, found: ${error.message}`;
  if (code.includes('windowTooLarge'))
    return new ArchiveRefusal('zstd_window', `${found}; compress it with zstd -19 or a lower level`);
  return new ArchiveRefusal('compressed_data', found);
}
