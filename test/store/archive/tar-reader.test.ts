import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { create } from 'tar';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createTarReader } from '../../../store/archive/tar-reader.ts';
import { gnuLong, type Member, pax, paxRecord, tarOf } from '../../support/bundles.ts';

const posix = process.platform !== 'win32';
const LONG = `${'folder-é/'.repeat(18)}${'name-'.repeat(20)}.txt`;

/** What a reader tells of a tar, given in pieces of these lengths (then the rest). */
function read(tar: Uint8Array, pieces: readonly number[] = []) {
  const found: { name: string; kind: string; executable: boolean; content: string }[] = [];
  let content: Uint8Array[] = [];
  const reader = createTarReader({
    member: ({ name, kind, executable, size }) => {
      found.push({ name, kind, executable, content: '' });
      content = [];
      expect(size).toBeGreaterThanOrEqual(0);
    },
    data: (bytes) => content.push(bytes.slice()),
    end: () => {
      const last = found.at(-1);
      if (last !== undefined) last.content = Buffer.concat(content).toString();
    },
  });
  let at = 0;
  for (const length of pieces) reader.write(tar.subarray(at, (at += length)));
  reader.write(tar.subarray(at));
  reader.close();
  return found;
}
const names = (members: readonly Member[], end?: Uint8Array) =>
  read(tarOf(members, end)).map(({ name }) => name);

describe('createTarReader', () => {
  it('reads files, folders, modes, a ustar prefix, a GNU long name and a pax path', () => {
    const members: Member[] = [
      { name: 'bin/', type: '5' },
      { name: 'bin/run.sh', content: '#!', mode: 0o4755 },
      { name: 'old-folder/', type: '0' },
      { name: 'name', prefix: 'under/a/prefix', content: 'p' },
      gnuLong(LONG),
      { name: LONG.slice(0, 99), content: 'gnu', magic: 'ustar  \0' },
      pax({ path: `pax/${LONG}`, mtime: '1.5', 'SCHILY.xattr.user.x': Buffer.from([0xff, 0]) }),
      { name: 'short', content: 'pax' },
      { name: 'v7', content: '7', magic: '', type: '\0' },
      { name: 'empty' },
    ];
    expect(read(tarOf(members))).toEqual([
      { name: 'bin/', kind: 'directory', executable: false, content: '' },
      { name: 'bin/run.sh', kind: 'file', executable: true, content: '#!' },
      { name: 'old-folder/', kind: 'directory', executable: false, content: '' },
      { name: 'under/a/prefix/name', kind: 'file', executable: false, content: 'p' },
      { name: LONG, kind: 'file', executable: false, content: 'gnu' },
      { name: `pax/${LONG}`, kind: 'file', executable: false, content: 'pax' },
      { name: 'v7', kind: 'file', executable: false, content: '7' },
      { name: 'empty', kind: 'file', executable: false, content: '' },
    ]);
  });

  it('reads the same however the stream is cut', () => {
    const tar = tarOf([
      pax({ path: LONG }),
      { name: 'x', content: 'a'.repeat(700) },
      gnuLong(`é${LONG}`),
      { name: 'y', content: 'b'.repeat(512), magic: 'ustar  \0' },
      { name: 'z' },
    ]);
    const whole = read(tar);
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 900 }), { maxLength: 12 }), (pieces) => {
        expect(read(tar, pieces)).toEqual(whole);
      }),
      { numRuns: 200 },
    );
  });

  it.each<[string, Member[], RegExp]>([
    ['a symbolic link', [{ name: 'l', type: '2', link: '/etc/passwd' }], /symbolic link: "l"/],
    ['a hard link', [{ name: 'l', type: '1', link: 'x' }], /hard link/],
    ['a long link target', [gnuLong('/etc/passwd', 'K'), { name: 'l', type: '2' }], /symbolic link/],
    ['a character device', [{ name: 'd', type: '3' }], /character device/],
    ['a block device', [{ name: 'd', type: '4' }], /block device/],
    ['a FIFO', [{ name: 'p', type: '6' }], /FIFO/],
    ['a contiguous file', [{ name: 'c', type: '7' }], /contiguous/],
    ['an old GNU sparse file', [{ name: 's', type: 'S' }], /sparse file/],
    ['a pax sparse file', [pax({ 'GNU.sparse.major': '1' }), { name: 's' }], /sparse file/],
    ['a type nobody knows', [{ name: 'v', type: 'V' }], /type "V"/],
    ['a wrong checksum', [{ name: 'a', checksum: 1 }], /checksum/],
    ['a size that is no number', [{ name: 'a', patch: { at: 124, bytes: Buffer.from('12x') } }], /size/],
    ['a negative size', [{ name: 'a', patch: { at: 124, bytes: Buffer.alloc(12, 0xff) } }], /size/],
    [
      'a size beyond counting',
      [{ name: 'a', patch: { at: 124, bytes: Buffer.from([0x80, ...Array<number>(11).fill(0xff)]) } }],
      /size/,
    ],
    ['a folder with content', [{ name: 'd/', type: '5', content: 'x' }], /without content/],
    ['a name that is no UTF-8', [{ name: Buffer.from([0x61, 0xff]) }], /UTF-8/],
    ['a pax path that is no UTF-8', [pax({ path: Buffer.from([0xc3]) }), { name: 'a' }], /UTF-8/],
    ['another character set', [pax({ hdrcharset: 'BINARY' }), { name: 'a' }], /UTF-8/],
    [
      'a key twice',
      [
        { name: 'x', type: 'x', content: Buffer.concat([paxRecord('path', 'a'), paxRecord('path', 'b')]) },
        { name: 'a' },
      ],
      /twice/,
    ],
    [
      'a record with a wrong length',
      [{ name: 'x', type: 'x', content: '9 path=abc\n' }, { name: 'a' }],
      /end where they say/,
    ],
    ['a record without a length', [{ name: 'x', type: 'x', content: 'path=a\n' }, { name: 'a' }], /a length/],
    ['a record without a key', [{ name: 'x', type: 'x', content: '5 =a\n' }, { name: 'a' }], /key=value/],
    ['a negative pax size', [pax({ size: '-1' }), { name: 'a' }], /decimal/],
    ['a global header that names members', [pax({ path: '../x' }, 'g'), { name: 'a' }], /global header/],
    [
      'a global header that sizes members',
      [pax({ size: '0' }, 'g'), { name: 'a', content: 'x' }],
      /global header/,
    ],
    ['two extended headers', [pax({ mtime: '1' }), pax({ path: 'b' }), { name: 'a' }], /one extended header/],
    ['two names', [pax({ path: 'b' }), gnuLong('c'), { name: 'a' }], /one name/],
    [
      'an extended header of a megabyte and more',
      [pax({ comment: 'x'.repeat(1_100_000) }), { name: 'a' }],
      /extended header of/,
    ],
    ['an empty extended header', [{ name: 'x', type: 'x' }, { name: 'a' }], /extended header of/],
    ['an extended header of nothing', [{ name: 'a' }, pax({ path: 'b' })], /stops in the middle/],
  ])('refuses %s', (_what, members, message) => {
    expect(() => read(tarOf(members))).toThrow(message);
  });

  it('takes a global header that only comments, as git archive writes it', () => {
    expect(names([pax({ comment: 'a'.repeat(40) }, 'g'), { name: 'a' }])).toEqual(['a']);
  });

  it('takes the size of a pax header over the other one', () => {
    const [member] = read(tarOf([pax({ size: '3' }), { name: 'a', content: 'abc', size: 0 }]));
    expect(member?.content).toBe('abc');
  });

  it('takes an archive without an end, and padding after the end', () => {
    expect(names([{ name: 'a', content: 'x' }], new Uint8Array())).toEqual(['a']);
    expect(names([{ name: 'a' }], Buffer.alloc(10_240))).toEqual(['a']);
  });

  it('refuses an archive that stops in the middle, and one with more behind its end', () => {
    const tar = tarOf([{ name: 'a', content: 'x'.repeat(600) }]);
    for (const length of [100, 512, 600, 1_112, 1_300]) {
      expect(() => read(tar.subarray(0, length))).toThrow(/stops in the middle|checksum/);
    }
    expect(() => read(Buffer.concat([tar, tarOf([{ name: 'b' }])]))).toThrow(/after the end/);
  });
});

describe('archives of real programs', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'tar-'));
    mkdirSync(join(folder, 'in', 'sub', 'deep'), { recursive: true });
    writeFileSync(join(folder, 'in', 'main.py'), 'print(1)');
    writeFileSync(join(folder, 'in', 'sub', 'run.sh'), '#!/bin/sh');
    chmodSync(join(folder, 'in', 'sub', 'run.sh'), 0o755);
    writeFileSync(join(folder, 'in', 'sub', `${'naïve-'.repeat(20)}.txt`), 'long');
  });
  afterEach(() => rmSync(folder, { recursive: true }));
  const expected = [
    'directory sub/ ',
    'directory sub/deep/ ',
    'file main.py print(1)',
    `file sub/${'naïve-'.repeat(20)}.txt long`,
    'file sub/run.sh x #!/bin/sh',
  ].sort();
  const found = (tar: Uint8Array) =>
    read(tar)
      .map(
        ({ name, kind, executable, content }) =>
          `${kind} ${name.replace(/^\.\//, '')} ${executable ? 'x ' : ''}${content}`,
      )
      .filter((line) => line !== 'directory  ')
      .sort();

  it.runIf(posix).each(['gnu', 'pax', 'posix', 'oldgnu'])('reads what GNU tar writes as %s', (format) => {
    expect(
      found(execFileSync('tar', [`--format=${format}`, '-C', join(folder, 'in'), '-cf', '-', '.'])),
    ).toEqual(expected);
  });

  it.runIf(posix).each(['GNU', 'PAX'])('reads what Python writes as %s', (format) => {
    const script = `import sys,tarfile
t=tarfile.open(fileobj=sys.stdout.buffer,mode='w|',format=tarfile.${format}_FORMAT)
t.add(sys.argv[1],arcname='.')
t.close()`;
    expect(found(execFileSync('python3', ['-c', script, join(folder, 'in')]))).toEqual(expected);
  });

  it('reads what node-tar writes', async () => {
    const pieces: Uint8Array[] = [];
    for await (const piece of create({ cwd: join(folder, 'in') }, ['.'])) pieces.push(piece);
    expect(found(Buffer.concat(pieces))).toEqual(expected);
  });
});
