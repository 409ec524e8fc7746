import { constants, inflateSync } from 'node:zlib';
import { GitFault, malformed } from './git-fault.ts';

export type ObjectKind = 'commit' | 'tree' | 'blob' | 'tag';

/** Type numbers of gitformat-pack. */
const KINDS: Readonly<Record<number, ObjectKind>> = { 1: 'commit', 2: 'tree', 3: 'blob', 4: 'tag' };
export const KIND_NUMBERS: Readonly<Record<ObjectKind, number>> = { commit: 1, tree: 2, blob: 3, tag: 4 };
const OFS_DELTA = 6;
const REF_DELTA = 7;

/** Header of one entry. `size` is that of the inflated data: of the object, or of the delta. */
export interface PackEntry {
  readonly kind: ObjectKind | 'offset-delta' | 'ref-delta';
  readonly size: number;
  /** Offset of the base in the same pack (offset-delta), else null. */
  readonly baseOffset: number | null;
  /** Object id of the base as 20 latin1 characters (ref-delta), else null. */
  readonly baseId: string | null;
  /** Where the compressed data begins, in `bytes`. */
  readonly dataAt: number;
}

/**
 * Reads the entry header at `at` of `bytes`; `offset` is where that is in the pack, when `bytes` is a part of it.
 * Source: gitformat-pack "pack-*.pack files have the following format".
 */
export function readEntryHeader(bytes: Uint8Array, at: number, offset = at): PackEntry {
  let next = at;
  const byte = () => {
    const found = bytes[next];
    if (found === undefined) throw malformed('expected an object of a pack, found the end of the pack');
    next += 1;
    return found;
  };
  let current = byte();
  const type = (current >> 4) & 7;
  let size = current & 15;
  for (let scale = 16; current >= 128; scale *= 128) {
    current = byte();
    size += (current & 127) * scale;
    if (size > Number.MAX_SAFE_INTEGER)
      throw malformed('expected the size of an object, found an endless one');
  }
  const kind = KINDS[type];
  if (kind !== undefined) return { kind, size, baseOffset: null, baseId: null, dataAt: next };
  if (type === OFS_DELTA) {
    current = byte();
    let distance = current & 127;
    while (current >= 128) {
      current = byte();
      distance = (distance + 1) * 128 + (current & 127);
      if (distance > offset) break;
    }
    if (distance === 0 || distance > offset) {
      throw malformed('expected a delta on an object before it, found one that leaves the pack');
    }
    return { kind: 'offset-delta', size, baseOffset: offset - distance, baseId: null, dataAt: next };
  }
  if (type === REF_DELTA) {
    if (next + 20 > bytes.length) throw malformed('expected an object of a pack, found the end of the pack');
    const baseId = Buffer.from(bytes.buffer, bytes.byteOffset + next, 20).toString('latin1');
    return { kind: 'ref-delta', size, baseOffset: null, baseId, dataAt: next + 20 };
  }
  throw malformed(`expected an object of a pack, found type ${type}`);
}

/**
 * Inflates exactly `size` bytes from `at` and says how many compressed ones they took. Never holds more than `size` bytes, and
 * refuses before it begins when that is more than `maxBytes` (zlib bombs).
 */
export function inflateEntry(
  bytes: Uint8Array,
  at: number,
  size: number,
  maxBytes: number,
): { content: Buffer; consumed: number } {
  if (size > maxBytes) {
    throw new GitFault(
      'source_too_large',
      `expected a git object of at most ${maxBytes} bytes, found ${size}`,
    );
  }
  let inflated: { buffer: Buffer; engine: { bytesWritten: number } };
  try {
    inflated = inflateSync(bytes.subarray(at), {
      info: true,
      maxOutputLength: Math.max(1, size),
      chunkSize: Math.max(constants.Z_MIN_CHUNK, size),
    }) as unknown as typeof inflated;
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ERR_BUFFER_TOO_LARGE') {
      throw malformed(`expected a git object of ${size} bytes as it claims, found a larger one`, cause);
    }
    throw malformed('expected a compressed git object, found other bytes', cause);
  }
  if (inflated.buffer.length !== size) {
    throw malformed(`expected a git object of ${size} bytes as it claims, found ${inflated.buffer.length}`);
  }
  return { content: inflated.buffer, consumed: inflated.engine.bytesWritten };
}
