import { deflateSync } from 'node:zlib';
import type { Lie } from '../hostile-git-server.ts';
import { entryOf, makeObject, makePack, packEntry } from '../pack-maker.ts';
import { beside, type Forgery, files, forging, manifest } from './forging.ts';
import { forge, LIE_BLOB } from './telling.ts';

const MIB = 1_048_576;
const malformed = { exit: 5, code: 'source_malformed' } as const;
const tooLarge = { exit: 5, code: 'source_too_large' } as const;
const OFFSET_DELTA = 6;
const REF_DELTA = 7;

/** In the entries of a pack: how objects are written, and what they cost (gitformat-pack). */
export const ENTRY_LIES: readonly Lie[] = [
  {
    what: 'sends an object of a type that is none',
    ...malformed,
    tell: beside(() => packEntry(5, 4, deflateSync('none'))),
  },
  {
    what: 'sends an object that is not compressed',
    ...malformed,
    tell: beside(() => packEntry(3, 4, Buffer.from('none'))),
  },
  {
    what: 'sends an object larger than it claims',
    ...malformed,
    tell: beside(() => packEntry(3, 10, deflateSync(Buffer.alloc(100 * MIB), { level: 1 }))),
  },
  {
    what: 'sends an object smaller than it claims',
    ...malformed,
    tell: beside(() => packEntry(3, 1_000, deflateSync('short'))),
  },
  {
    what: 'sends an object of an endless size',
    ...malformed,
    tell: beside(() => Buffer.from(Array.from({ length: 40 }, () => 0xff))),
  },
  { what: 'sends an object twice', ...malformed, tell: beside(() => entryOf(LIE_BLOB)) },
  {
    what: 'sends a delta on itself',
    ...malformed,
    tell: beside(() => packEntry(OFFSET_DELTA, 4, delta(4), Buffer.from([0]))),
  },
  {
    what: 'sends a delta on what is before the pack',
    ...malformed,
    tell: beside(() => packEntry(OFFSET_DELTA, 4, delta(4), Buffer.from([0xff, 0xff, 0x7f]))),
  },
  {
    what: 'sends a delta on the middle of an object',
    ...malformed,
    tell: beside(() => packEntry(OFFSET_DELTA, 4, delta(4), Buffer.from([5]))),
  },
  {
    what: 'sends a delta on an object that is nowhere',
    ...malformed,
    tell: beside(() => refDelta('7'.repeat(40), 4)),
  },
  {
    what: 'sends deltas on one another, in a circle',
    ...malformed,
    tell: beside(
      () => refDelta('1'.repeat(40), 4),
      () => refDelta('2'.repeat(40), 4),
    ),
  },
  {
    what: 'sends a delta of other bytes',
    ...malformed,
    tell: beside(() => refDeltaOf(Buffer.from([0xff, 0xff, 0xff]))),
  },
  {
    what: 'sends a delta beyond the end of its base',
    ...malformed,
    tell: beside(() => refDeltaOf(Buffer.from([LIE_BLOB.content.length, 9, 0x91, 200, 9]))),
  },
  {
    what: 'sends a delta with an instruction that is reserved',
    ...malformed,
    tell: beside(() => refDeltaOf(Buffer.from([LIE_BLOB.content.length, 1, 0]))),
  },
  { what: 'sends 4,200 deltas on one another', ...malformed, tell: forging(deepChain) },
  { what: 'sends deltas that copy their base again and again', ...tooLarge, tell: forging(copyBombs) },
  { what: 'sends bombs of zlib', ...tooLarge, tell: files(manifest, zlibBombs) },
  {
    what: 'sends an object of 17 MiB',
    ...tooLarge,
    tell: beside(() => entryOf(makeObject('blob', Buffer.alloc(17 * MIB)))),
  },
];

/** One that makes `size` bytes of a base of one byte. */
function delta(size: number): Buffer {
  return deflateSync(Buffer.from([1, size, size, ...Buffer.alloc(size, 'd')]));
}

function refDelta(base: string, size: number): Buffer {
  return packEntry(REF_DELTA, size + 3, delta(size), Buffer.from(base, 'hex'));
}

/** On the forged manifest. */
function refDeltaOf(instructions: Buffer): Buffer {
  return packEntry(
    REF_DELTA,
    instructions.length,
    deflateSync(instructions),
    Buffer.from(LIE_BLOB.oid, 'hex'),
  );
}

function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128);
  return [...bytes, rest];
}

function deepChain(previous: string): Forgery {
  const { commit, objects } = forge(manifest, previous);
  const entries: Buffer[] = [];
  let base = LIE_BLOB;
  for (let n = 0; n < 4_200; n += 1) {
    const content = Buffer.alloc(8);
    content.writeUInt32BE(n);
    const bytes = Buffer.from([...varint(base.content.length), 8, 8, ...content]);
    entries.push(packEntry(REF_DELTA, bytes.length, deflateSync(bytes), Buffer.from(base.oid, 'hex')));
    base = makeObject('blob', content);
  }
  return { tip: commit.oid, pack: makePack([...objects.map(entryOf), ...entries]) };
}

function copyBombs(previous: string): Forgery {
  const { commit, objects } = forge(manifest, previous);
  const base = makeObject('blob', Buffer.alloc(65_536, 'b'));
  const bombs = Array.from({ length: 20 }, (_, n) => {
    const repeats = 250 - n;
    const head = [...varint(base.content.length), ...varint(repeats * 65_536)];
    const bytes = Buffer.concat([Buffer.from(head), Buffer.alloc(repeats, 0x80)]);
    return packEntry(REF_DELTA, bytes.length, deflateSync(bytes), Buffer.from(base.oid, 'hex'));
  });
  return { tip: commit.oid, pack: makePack([...[...objects, base].map(entryOf), ...bombs]) };
}

function zlibBombs(): Buffer[] {
  return Array.from({ length: 18 }, (_, n) => {
    const content = Buffer.alloc(15 * MIB);
    content.writeUInt32BE(n);
    return packEntry(3, content.length, deflateSync(content, { level: 1 }));
  });
}
