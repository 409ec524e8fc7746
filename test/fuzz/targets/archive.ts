import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, normalize } from 'node:path';
import { ArchiveRefusal } from '../../../store/archive/archive-refusal.ts';
import { openBundle } from '../../../store/archive/bundle-content.ts';
import { readJsonLines } from '../../../store/archive/json-lines.ts';
import { createMemberTree } from '../../../store/archive/member-tree.ts';
import { readPaxRecords } from '../../../store/archive/pax-records.ts';
import { createTarReader } from '../../../store/archive/tar-reader.ts';
import { bundleFrom, compress, gnuLong, type Member, pax, paxRecord, tarOf } from '../../support/bundles.ts';
import { check, checkSame, expectingOnly, expectingOnlyAsync } from '../invariants.ts';
import type { FuzzTarget } from '../target.ts';

const CAPS = { maxBytes: 1_024 * 1_024, maxFiles: 1_000 };
const BLOCK = 512;
const folder = mkdtempSync(join(tmpdir(), 'fuzz-archive-'));
process.once('exit', () => rmSync(folder, { recursive: true, force: true }));

const members: readonly (readonly Member[])[] = [
  [
    { name: './', type: '5' },
    { name: './main.py', content: 'print(1)\n', mode: 0o755 },
    { name: 'a/b/c.txt', content: 'x'.repeat(700) },
  ],
  [
    pax({ path: 'é'.repeat(80), size: '3' }),
    { name: 'short', content: 'abc' },
    pax({ comment: 'x' }, 'g'),
    { name: 'empty' },
  ],
  [
    gnuLong(`${'long/'.repeat(30)}name`),
    { name: 'short', content: 'abc', magic: 'ustar  \0' },
    { name: 'name', prefix: 'prefix', content: '1' },
  ],
];
const tars = members.map((list) => tarOf(list));

/** Makes every header's checksum right again, so that what is changed is read. */
function withChecksums(tar: Buffer): Buffer {
  const bytes = Buffer.from(tar);
  for (let at = 0; at + BLOCK <= bytes.length; at += BLOCK) {
    const header = bytes.subarray(at, at + BLOCK);
    if (header.toString('latin1', 257, 262) !== 'ustar') continue;
    header.fill(' ', 148, 156);
    const sum = header.reduce((total, byte) => total + byte, 0);
    header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  }
  return bytes;
}

/** Lists a tar as unpacking does: what is let through stays inside, in the size that was said. */
function list(pieces: readonly Uint8Array[]): { paths: string[]; bytes: number } {
  const tree = createMemberTree(CAPS);
  const paths: string[] = [];
  let bytes = 0;
  const reader = createTarReader({
    member(member) {
      const { path, directories } = tree.add(member);
      for (const each of [path, ...directories]) {
        check(
          each === '' ||
            (normalize(each) === each &&
              !each.startsWith('..') &&
              !each.startsWith('/') &&
              !/[\\\0]/.test(each)),
          `expected a path inside, found ${JSON.stringify(each)}`,
        );
      }
      paths.push(path);
    },
    data: (piece) => void (bytes += piece.length),
    end: () => undefined,
  });
  for (const piece of pieces) reader.write(piece);
  reader.close();
  check(bytes <= CAPS.maxBytes && paths.length <= 2 * CAPS.maxFiles, 'expected no more than the caps');
  return { paths, bytes };
}

export const archiveTargets: readonly FuzzTarget[] = [
  {
    name: 'tar',
    shape: 'bytes',
    seeds: tars,
    words: [
      'ustar',
      '../',
      '/etc',
      'a\\b',
      'C:x',
      'CON',
      '\0',
      '00000000000',
      '77777777777',
      'path=',
      '\x80\0\0\0\0\0\0\x01',
    ],
    inside: {
      shape: 'bytes',
      seeds: tars,
      words: ['../', '/', 'CON', 'a:b', '12 path=..\n', '11 size=1\n'],
      close: withChecksums,
    },
    repeats: ['\0', 'a', 'ustar', '\xff'],
    read(bytes) {
      const whole = expectingOnly([ArchiveRefusal], () => list([bytes]));
      const pieces = Array.from({ length: Math.ceil(bytes.length / 333) }, (_, at) =>
        bytes.subarray(at * 333, (at + 1) * 333),
      );
      const piecewise = expectingOnly([ArchiveRefusal], () => list(pieces));
      checkSame(piecewise, whole, 'a tar in pieces and as a whole');
    },
  },
  {
    name: 'bundle',
    shape: 'bytes',
    seeds: [
      ...members.map((each) => bundleFrom(each).bytes),
      ...members.map((each) => bundleFrom(each, 'zstd').bytes),
    ],
    words: ['\u001f\u008b', '(\u00b5/\u00fd', 'BZh', 'PK\u0003\u0004'],
    inside: {
      shape: 'bytes',
      seeds: tars,
      close: (bytes) => compress(withChecksums(bytes), (bytes[0] ?? 0) % 2 === 0 ? 'gzip' : 'zstd').bytes,
    },
    repeats: ['\0', '\x1f\x8b\x08', '(\xb5/\xfd'],
    async read(bytes) {
      const path = join(folder, 'bundle');
      writeFileSync(path, bytes);
      const content = openBundle(path);
      check(content !== null, 'expected a file');
      try {
        await expectingOnlyAsync([ArchiveRefusal], async () => {
          const pieces: Uint8Array[] = [];
          await content.read(CAPS.maxBytes, (piece) => {
            pieces.push(Buffer.from(piece));
            return undefined;
          });
          list(pieces);
        });
      } finally {
        content.close();
      }
    },
  },
  {
    name: 'pax-records',
    shape: 'bytes',
    seeds: [Buffer.concat([paxRecord('path', 'a/b'), paxRecord('size', '12'), paxRecord('mtime', '1.5')])],
    words: ['path=', 'size=', 'linkpath=', 'SCHILY.xattr.', '\n', ' ', '999999999999'],
    repeats: ['9', '7 a=bc\n', ' ', '\n', '10 path=a\n', '='],
    read(bytes) {
      const read = expectingOnly([ArchiveRefusal], () => readPaxRecords(bytes, 'member'));
      check(
        read?.size === undefined || (Number.isSafeInteger(read.size) && read.size >= 0),
        `expected a size, found ${read?.size}`,
      );
      expectingOnly([ArchiveRefusal], () => readPaxRecords(bytes, 'global'));
    },
  },
  {
    name: 'json-lines',
    shape: 'text',
    seeds: ['{"kind":"made","files":["a"],"directories":[]}\n{"kind":"unpacked"}\n', '1\n2\n'],
    repeats: ['\n', '1\n', '[', '"', 'a'],
    async read(bytes) {
      async function* once() {
        yield bytes.subarray(0, 100);
        yield bytes.subarray(100);
      }
      try {
        for await (const value of readJsonLines(once(), 1_024)) check(value !== undefined, 'expected values');
      } catch (error) {
        // Of a child of ours: the classes that its documentation names.
        if (!(error instanceof RangeError || error instanceof SyntaxError)) throw error;
      }
    },
  },
];
