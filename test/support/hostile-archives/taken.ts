import { gzipSync, zstdCompressSync } from 'node:zlib';
import { type Bundle, bundleFrom, gnuLong, type Member, pax, tarOf } from '../bundles.ts';
import { bundleOfBytes } from './caps.ts';
import { largeTar } from './compressed.ts';

/** An archive that is odd and right: what it makes on disk, by path; a folder ends in a slash. */
interface OddCase {
  readonly name: string;
  readonly bundle: () => Bundle;
  readonly makes: readonly string[];
}

const taken = (name: string, members: readonly Member[], makes: readonly string[]): OddCase => ({
  name,
  bundle: () => bundleFrom(members),
  makes,
});
const at = (offset: number, bytes: Uint8Array | string): Pick<Member, 'patch'> => ({
  patch: { at: offset, bytes: Buffer.from(bytes) },
});
const skippable = (length: number) => {
  const frame = Buffer.alloc(8 + length);
  frame.writeUInt32LE(0x184d2a5e, 0);
  frame.writeUInt32LE(length, 4);
  return frame;
};
const small = tarOf([{ name: 'a', content: 'x' }]);
const nothing = { gzip: gzipSync(Buffer.alloc(0)), zstd: zstdCompressSync(Buffer.alloc(0)) };
const UID_AT = 108;
const MTIME_AT = 136;
const modes: readonly [string, number][] = [
  ['setuid', 0o4755],
  ['setgid', 0o2755],
  ['the sticky bit', 0o1755],
  ['no rights at all', 0],
  ['every bit there is', 0o7777777],
];
const DEEPEST = `${'d/'.repeat(63)}f`;
const foldersOf = (path: string) =>
  path
    .split('/')
    .slice(0, -1)
    .map((_, index, all) => `${all.slice(0, index + 1).join('/')}/`);

/** What must not be refused: owners, times and modes are dropped, and formats are read as they are written. */
export const TAKEN: readonly OddCase[] = [
  ...modes.map(([name, mode]) => taken(`a file with ${name}`, [{ name: 'a', mode }], ['a'])),
  ...modes.map(([name, mode]) => taken(`a folder with ${name}`, [{ name: 'd/', type: '5', mode }], ['d/'])),
  taken('an owner beyond counting', [{ name: 'a', ...at(UID_AT, Buffer.alloc(16, 0xff)) }], ['a']),
  taken('an owner that is no number', [{ name: 'a', ...at(UID_AT, 'rootrootrootroot') }], ['a']),
  taken('a time before 1970', [{ name: 'a', ...at(MTIME_AT, Buffer.alloc(12, 0xff)) }], ['a']),
  taken('the year 9999', [{ name: 'a', ...at(MTIME_AT, '3654546617577') }, { name: 'b' }], ['a', 'b']),
  taken('a time that is no number', [pax({ mtime: 'yesterday', atime: '-1e99' }), { name: 'a' }], ['a']),
  taken('a link target on a file', [pax({ linkpath: '/etc/passwd' }), { name: 'a', link: '/etc' }], ['a']),
  taken('a long link target on a file', [gnuLong('/etc/passwd', 'K'), { name: 'a' }], ['a']),
  taken('a pax path that is taken back', [pax({ path: '' }), { name: 'a' }], ['a']),
  taken('a GNU sparse key in a comment', [pax({ comment: 'GNU.sparse.major=1' }), { name: 'a' }], ['a']),
  taken(
    'a comment for all, many times',
    Array.from({ length: 50 }, (): Member[] => [pax({ comment: 'x' }, 'g')])
      .flat()
      .concat({ name: 'a' }),
    ['a'],
  ),
  taken(
    '64 folders, one in the other',
    [pax({ path: DEEPEST }), { name: 'x' }],
    [...foldersOf(DEEPEST), DEEPEST],
  ),
  taken(
    'a name of 255 bytes',
    [pax({ path: `${'é'.repeat(127)}x` }), { name: 'x' }],
    [`${'é'.repeat(127)}x`],
  ),
  taken(
    'names that only look alike',
    [{ name: 'a~b' }, { name: 'b~' }, { name: 'file.py~1' }, { name: 'longer-than~1' }],
    ['a~b', 'b~', 'file.py~1', 'longer-than~1'],
  ),
  taken(
    'one name in folders of their own',
    [{ name: 'a/main.py' }, { name: 'b/Main.py' }],
    ['a/', 'a/main.py', 'b/', 'b/Main.py'],
  ),
  taken('the mark of completeness below a folder', [{ name: 'a/.complete' }], ['a/', 'a/.complete']),
  taken(
    'letters of many alphabets, joined and turned',
    [{ name: '👩‍💻.txt' }, { name: 'שלום\u200f.txt' }],
    ['שלום\u200f.txt', '👩‍💻.txt'],
  ),
  taken('a folder behind its file', [{ name: 'd/f' }, { name: 'd/', type: '5' }], ['d/', 'd/f']),
  { name: 'nothing', bundle: () => bundleOfBytes(gzipSync(Buffer.alloc(1_024))), makes: [] },
  {
    name: 'a tar without an end',
    bundle: () => bundleOfBytes(gzipSync(small.subarray(0, 1_024))),
    makes: ['a'],
  },
  {
    name: 'a gzip member for every block',
    bundle: () =>
      bundleOfBytes(
        Buffer.concat([0, 512, 1_024, 1_536].map((from) => gzipSync(small.subarray(from, from + 512)))),
      ),
    makes: ['a'],
  },
  {
    name: '20,000 empty gzip members',
    bundle: () =>
      bundleOfBytes(Buffer.concat([gzipSync(small), ...Array.from({ length: 20_000 }, () => nothing.gzip)])),
    makes: ['a'],
  },
  {
    name: '40,000 empty zstd frames',
    bundle: () =>
      bundleOfBytes(
        Buffer.concat([...Array.from({ length: 40_000 }, () => nothing.zstd), zstdCompressSync(small)]),
      ),
    makes: ['a'],
  },
  {
    name: '100,000 zstd frames to be skipped',
    bundle: () =>
      bundleOfBytes(
        Buffer.concat([...Array.from({ length: 100_000 }, () => skippable(1)), zstdCompressSync(small)]),
      ),
    makes: ['a'],
  },
  {
    name: 'a zstd frame to be skipped at the end',
    bundle: () => bundleOfBytes(Buffer.concat([zstdCompressSync(largeTar()), skippable(1_000_000)])),
    makes: ['noise.bin'],
  },
  {
    name: 'a gzip header with a name that climbs',
    bundle: () => {
      const packed = gzipSync(small);
      const header = Buffer.concat([packed.subarray(0, 3), Buffer.from([8]), packed.subarray(4, 10)]);
      return bundleOfBytes(Buffer.concat([header, Buffer.from('../../evil\0'), packed.subarray(10)]));
    },
    makes: ['a'],
  },
];
