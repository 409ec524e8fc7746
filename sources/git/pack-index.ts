import { hash } from 'node:crypto';
import { GitFault } from './git-fault.ts';

const MAGIC = 0xff744f63;
const HEADER = 8;
const FANOUT = 256 * 4;

export interface IndexedObject {
  /** Object id as 20 latin1 characters. */
  readonly id: string;
  readonly offset: number;
  readonly crc: number;
}

/** The bytes of a version 2 index, for packs under 2 GiB (gitformat-pack "version 2 pack-*.idx files"). */
export function writePackIndex(objects: readonly IndexedObject[], packChecksum: Buffer): Buffer {
  const sorted = objects.toSorted((a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0));
  const count = sorted.length;
  const index = Buffer.alloc(HEADER + FANOUT + count * 28 + 40);
  index.writeUInt32BE(MAGIC, 0);
  index.writeUInt32BE(2, 4);
  const ids = HEADER + FANOUT;
  const crcs = ids + count * 20;
  const offsets = crcs + count * 4;
  const perByte = new Uint32Array(256);
  for (const [position, object] of sorted.entries()) {
    index.write(object.id, ids + position * 20, 'latin1');
    index.writeUInt32BE(object.crc, crcs + position * 4);
    index.writeUInt32BE(object.offset, offsets + position * 4);
    const first = object.id.charCodeAt(0);
    perByte[first] = (perByte[first] as number) + 1;
  }
  let total = 0;
  for (let byte = 0; byte < 256; byte += 1) {
    total += perByte[byte] as number;
    index.writeUInt32BE(total, HEADER + byte * 4);
  }
  packChecksum.copy(index, index.length - 40);
  (hash('sha1', index.subarray(0, -20), 'buffer') as Buffer).copy(index, index.length - 20);
  return index;
}

export interface PackIndex {
  readonly count: number;
  /** Offset in the pack, or null when the object is not in it. */
  offsetOf(id: string): number | null;
  idAt(position: number): string;
  offsetAt(position: number): number;
}

/** Reads an index of ours or of git's. Throws `cache_damaged` when it is none. */
export function readPackIndex(index: Buffer, path: string): PackIndex {
  const damaged = () =>
    new GitFault('cache_damaged', `${path}: expected an index of a git pack, found other bytes`);
  if (index.length < HEADER + FANOUT + 40) throw damaged();
  if (index.readUInt32BE(0) !== MAGIC || index.readUInt32BE(4) !== 2) throw damaged();
  const count = index.readUInt32BE(HEADER + 255 * 4);
  const ids = HEADER + FANOUT;
  const offsets = ids + count * 24;
  const large = offsets + count * 4;
  if (index.length < large + 40) throw damaged();
  const idAt = (position: number) => index.toString('latin1', ids + position * 20, ids + position * 20 + 20);
  const offsetAt = (position: number) => {
    const offset = index.readUInt32BE(offsets + position * 4);
    if (offset < 0x80000000) return offset;
    const at = large + (offset - 0x80000000) * 8;
    if (at + 8 > index.length - 40) throw damaged();
    return Number(index.readBigUInt64BE(at));
  };
  return {
    count,
    idAt,
    offsetAt,
    offsetOf(id) {
      const byte = id.charCodeAt(0);
      let low = byte === 0 ? 0 : index.readUInt32BE(HEADER + (byte - 1) * 4);
      let high = Math.min(count, index.readUInt32BE(HEADER + byte * 4));
      while (low < high) {
        const middle = (low + high) >>> 1;
        const found = idAt(middle);
        if (found === id) return offsetAt(middle);
        if (found < id) low = middle + 1;
        else high = middle;
      }
      return null;
    },
  };
}
