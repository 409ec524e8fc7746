import { createHash, randomBytes } from 'node:crypto';
import {
  closeSync,
  fsyncSync,
  openSync,
  renameSync,
  rmSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { crc32, deflateSync } from 'node:zlib';
import { GitFault } from './git-fault.ts';
import { type OpenPack, openObjects, readEntry } from './object-reader.ts';
import { KIND_NUMBERS } from './pack-entry.ts';
import { type IndexedObject, writePackIndex } from './pack-index.ts';

const REF_DELTA = 7;
const OBJECTS_A_TURN = 256;

interface Place {
  readonly id: string;
  readonly pack: OpenPack;
  readonly offset: number;
}

/**
 * Writes one pack with the `wanted` objects of several of one folder, each once, and gives its path without `.pack`; null when
 * none is wanted. Compressed bytes are copied as they are: a delta names its base by id, and becomes a whole object when the base
 * does not come along. Its time is that of the youngest, as objects are removed by age. Source: gitformat-pack.
 */
export async function writeCombinedPack(
  packs: readonly OpenPack[],
  wanted: (id: string) => boolean,
  maxObjectBytes: number,
): Promise<string | null> {
  const places = new Map<string, Place>();
  const idsByPack = new Map(packs.map((pack) => [pack, idsByOffset(pack)]));
  for (const pack of packs) {
    for (const [offset, id] of idsByPack.get(pack) as Map<number, string>) {
      if (wanted(id) && !places.has(id)) places.set(id, { id, pack, offset });
    }
  }
  const [first] = packs;
  if (places.size === 0 || first === undefined) return null;
  const folder = dirname(first.path);
  const temporary = join(folder, `tmp_pack_${randomBytes(8).toString('hex')}`);
  const objects = openObjects([dirname(dirname(folder))]);
  const file = openSync(temporary, 'wx', 0o600);
  try {
    const digest = createHash('sha1');
    const indexed: IndexedObject[] = [];
    let offset = 0;
    const write = (bytes: Buffer) => {
      digest.update(bytes);
      for (let written = 0; written < bytes.length; ) written += writeSync(file, bytes, written);
      offset += bytes.length;
    };
    const header = Buffer.from('PACK\0\0\0\x02\0\0\0\0', 'latin1');
    header.writeUInt32BE(places.size, 8);
    write(header);
    for (const place of places.values()) {
      const { entry, bytes, consumed } = readEntry(place.pack, place.offset, maxObjectBytes);
      const base =
        entry.kind === 'offset-delta'
          ? (idsByPack.get(place.pack)?.get(entry.baseOffset as number) ?? null)
          : entry.baseId;
      let parts: Buffer[];
      if (entry.kind !== 'offset-delta' && entry.kind !== 'ref-delta') {
        parts = [bytes.subarray(0, entry.dataAt + consumed)];
      } else if (base !== null && places.has(base)) {
        const data = bytes.subarray(entry.dataAt, entry.dataAt + consumed);
        parts = [entryHeader(REF_DELTA, entry.size), Buffer.from(base, 'latin1'), data];
      } else {
        const whole = objects.read(place.id, maxObjectBytes);
        if (whole === null) throw new GitFault('cache_damaged', 'git cache: expected an object, found none');
        parts = [entryHeader(KIND_NUMBERS[whole.kind], whole.content.length), deflateSync(whole.content)];
      }
      const whole = Buffer.concat(parts);
      indexed.push({ id: place.id, offset, crc: crc32(whole) });
      write(whole);
      if (indexed.length % OBJECTS_A_TURN === 0) await nextTurn();
    }
    const checksum = digest.digest();
    writeSync(file, checksum);
    fsyncSync(file);
    const path = join(folder, `pack-${checksum.toString('hex')}`);
    const youngest = new Date(Math.max(...packs.map((pack) => pack.modifiedMs)));
    utimesSync(temporary, youngest, youngest);
    renameSync(temporary, `${path}.pack`);
    writeFileSync(temporary, writePackIndex(indexed, checksum), { mode: 0o600, flush: true });
    renameSync(temporary, `${path}.idx`);
    return path;
  } finally {
    closeSync(file);
    objects.close();
    rmSync(temporary, { force: true });
  }
}

function idsByOffset(pack: OpenPack): Map<number, string> {
  const { index } = pack;
  const ids = new Map<number, string>();
  for (let position = 0; position < index.count; position += 1) {
    ids.set(index.offsetAt(position), index.idAt(position));
  }
  return ids;
}

/** Type and size: four bits of size, then seven a byte. */
function entryHeader(type: number, size: number): Buffer {
  const bytes: number[] = [];
  let rest = Math.floor(size / 16);
  let byte = (type << 4) | (size % 16);
  while (rest > 0) {
    bytes.push(byte | 128);
    byte = rest % 128;
    rest = Math.floor(rest / 128);
  }
  return Buffer.from([...bytes, byte]);
}
