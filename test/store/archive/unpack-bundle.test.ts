import { createHash } from 'node:crypto';
import {
  appendFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { constants, createZstdCompress, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { unpackBundle } from '../../../store/archive/unpack-bundle.ts';
import type { UnpackAnswer } from '../../../store/archive/unpack-messages.ts';
import { hashFolder } from '../../../store/tree-hash.ts';
import {
  type Bundle,
  bundleFrom,
  bundleOf,
  type Compression,
  compress,
  type Member,
  pax,
  tarOf,
} from '../../support/bundles.ts';

const posix = process.platform !== 'win32';
const MIB = 1024 * 1024;
const CAPS = { maxBytes: 64 * MIB, maxFiles: 1_000 };
let folder: string;
let umask: number;
beforeAll(() => {
  umask = process.umask();
});
afterAll(() => {
  process.umask(umask);
});
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'unpack-'));
  process.umask(0);
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

async function unpack(bundle: Bundle, caps: Partial<typeof CAPS> = {}): Promise<UnpackAnswer> {
  const path = join(folder, 'bundle');
  writeFileSync(path, bundle.bytes);
  const into = join(folder, 'into');
  const request = { id: 1, bundle: path, sha256: bundle.sha256, into, ...CAPS, ...caps };
  return unpackBundle(request, () => undefined);
}
const files = () => readdirSync(join(folder, 'into'), { recursive: true }).map(String).sort();
/** Enough that it is read in pieces and not in one go. */
const bulk = () => Buffer.from(Array.from({ length: 700_000 }, () => Math.floor(Math.random() * 256)));

describe('unpackBundle', () => {
  it.each<[string, Compression, Record<string, string | Buffer>]>([
    ['a small gzip', 'gzip', {}],
    ['a small zstd', 'zstd', {}],
    ['a large gzip', 'gzip', { 'bulk.bin': bulk() }],
    ['a large zstd', 'zstd', { 'bulk.bin': bulk() }],
  ])('unpacks %s and says what the tree is', async (_what, compression, more) => {
    const content = { 'main.py': 'print(1)', 'lib/a.py': '', 'lib/deep/run.sh': '#!', 'empty/': '', ...more };
    const answer = await unpack(
      bundleOf(content, { compression, executable: ['lib/deep/run.sh'], prefix: './' }),
    );
    expect(answer).toMatchObject({ kind: 'unpacked', files: Object.keys(content).length - 1 });
    const hashed = await hashFolder(join(folder, 'into'), new AbortController().signal);
    expect(hashed).toMatchObject({ sha256: answer.kind === 'unpacked' && answer.tree_sha256 });
    for (const [path, text] of Object.entries(content).filter(([name]) => !name.endsWith('/'))) {
      expect(readFileSync(join(folder, 'into', path)).equals(Buffer.from(text))).toBe(true);
    }
    expect(files()).toContain('empty');
  });

  it.runIf(posix)('drops setuid and the right to write, and keeps the right to execute', async () => {
    await unpack(
      bundleFrom([
        { name: 'd/', type: '5', mode: 0o777 },
        { name: 'd/s', mode: 0o6777 },
        { name: 'd/f', mode: 0o666 },
      ]),
    );
    const mode = (path: string) => statSync(join(folder, 'into', path)).mode & 0o7777;
    expect([mode('d'), mode('d/s'), mode('d/f')]).toEqual([0o555, 0o555, 0o444]);
  });

  it('does not strip a single top folder', async () => {
    await unpack(bundleOf({ 'top/main.py': '' }));
    expect(files()).toEqual(['top', join('top', 'main.py')]);
  });

  it.each<[string, Member[], RegExp]>([
    ['an absolute path', [{ name: '/etc/x' }], /relative path/],
    ['a path that is absolute after ./', [{ name: './/etc/x' }], /relative path/],
    ['..', [{ name: '../x' }], /"\.\."/],
    ['.. in the middle', [{ name: 'a/../../x' }], /"\.\."/],
    ['.. in a pax path', [pax({ path: 'a/../../x' }), { name: 'ok' }], /"\.\."/],
    ['.. in the ustar prefix', [{ name: 'x', prefix: '../..' }], /"\.\."/],
    ['. in the middle', [{ name: 'a/./x' }], /"\."/],
    ['an empty folder name', [{ name: 'a//x' }], /empty folder name/],
    ['no name', [pax({ path: '/' }), { name: 'ok' }], /a name, found none/],
    ['a backslash', [{ name: 'a\\..\\x' }], /backslash/],
    ['a drive', [{ name: 'C:x' }], /colon/],
    ['a stream', [{ name: 'a.txt:b' }], /colon/],
    ['NUL in a pax path', [pax({ path: 'a\0b' }), { name: 'ok' }], /control/],
    ['a line break', [{ name: 'a\nb' }], /control/],
    ['an escape sequence, shown harmless', [{ name: 'a\u001b[2Jb' }], /control characters.*u001b/],
    ['a device', [{ name: 'NUL' }], /device/],
    ['a device with an extension', [{ name: 'lib/con.py' }], /device/],
    ['a device with a space', [{ name: 'aux .txt' }], /device/],
    ['a device in superscript', [{ name: 'com¹.txt' }], /device/],
    ['a device as a folder', [{ name: 'Prn/x' }], /device/],
    ['a dot at the end', [{ name: 'a./x' }], /dot or space/],
    ['a space at the end', [{ name: 'a ' }], /dot or space/],
    ['a name of 256 bytes', [pax({ path: 'é'.repeat(128) }), { name: 'ok' }], /at most 255 bytes/],
    [
      'a path of more than 1,024 bytes',
      [
        pax({ path: `${'abcdefg/'.repeat(40)}${'y'.repeat(200)}/${'x'.repeat(250)}/${'z'.repeat(255)}` }),
        { name: 'ok' },
      ],
      /at most 1024 bytes/,
    ],
    ['the mark of completeness', [{ name: './.Complete', content: '{}' }], /mark of a complete version/],
    ['a file twice', [{ name: 'a' }, { name: './a' }], /once/],
    [
      'a folder twice',
      [
        { name: 'a/', type: '5' },
        { name: 'a/', type: '5' },
      ],
      /once/,
    ],
    ['a file where a folder is', [{ name: 'a/b' }, { name: 'a' }], /once/],
    ['a folder where a file is', [{ name: 'a' }, { name: 'a/', type: '5' }], /once/],
    ['a file under a file', [{ name: 'a' }, { name: 'a/b' }], /a folder, found the file "a"/],
    ['names that differ in case', [{ name: 'Main.py' }, { name: 'main.py' }], /differ only in case/],
    ['folders that differ in case', [{ name: 'Lib/a' }, { name: 'lib/b' }], /differ only in case/],
    ['a file and a folder that differ in case', [{ name: 'LIB' }, { name: 'lib/b' }], /differ only in case/],
    ['NFC beside NFD', [{ name: 'caf\u00e9' }, { name: 'cafe\u0301' }], /Unicode form/],
    ['a ligature', [{ name: '\ufb01le' }, { name: 'file' }], /Unicode form/],
    ['sharp s', [{ name: 'stra\u00dfe' }, { name: 'STRASSE' }], /Unicode form/],
    ['long s', [{ name: 'mi\u017fs' }, { name: 'miss' }], /Unicode form/],
    ['the Kelvin sign', [{ name: '\u212a' }, { name: 'k' }], /Unicode form/],
    ['what is not shown', [{ name: '.g\u200cit' }, { name: '.git' }], /Unicode form/],
    [
      'a symbolic link behind good members',
      [
        { name: 'a', content: 'x' },
        { name: 'l', type: '2', link: '/' },
      ],
      /symbolic link/,
    ],
    [
      'a link that a later member goes through',
      [{ name: 'd', type: '2', link: '/tmp' }, { name: 'd/x' }],
      /symbolic link/,
    ],
  ])('refuses %s before a byte is written', async (_what, members, message) => {
    const answer = await unpack(bundleFrom(members));
    expect(answer).toMatchObject({
      kind: 'refused',
      code: 'archive_refused',
      message: expect.stringMatching(message),
    });
    expect(readdirSync(folder)).toEqual(['bundle']);
    // What is shown of a hostile name must not reach a terminal as it is.
    // oxlint-disable-next-line no-control-regex -- these are what is looked for
    expect(answer.kind === 'refused' && answer.message).not.toMatch(/[\u0000-\u001f\u007f]/);
  });

  it.each<[string, Member[], Partial<typeof CAPS>]>([
    ['more files', [{ name: 'a' }, { name: 'b' }], { maxFiles: 1 }],
    ['more folders than files are allowed', [{ name: 'a/b/c' }], { maxFiles: 2 }],
    [
      'more bytes',
      [
        { name: 'a', content: 'abc' },
        { name: 'b', content: 'def' },
      ],
      { maxBytes: 5 },
    ],
    ['a claimed size', [{ name: 'a', content: '', size: 1_000_000 }], { maxBytes: 5 }],
    ['folders inside one another', [pax({ path: `${'a/'.repeat(64)}b` }), { name: 'ok' }], {}],
    [
      'headers without members',
      Array.from({ length: 30 }, () => pax({ comment: 'x'.repeat(100_000) }, 'g')),
      { maxBytes: 5, maxFiles: 1 },
    ],
  ])('stops at the caps: %s', async (_what, members, caps) => {
    expect(await unpack(bundleFrom(members), caps)).toMatchObject({ kind: 'refused', code: 'caps_exceeded' });
    expect(readdirSync(folder)).toEqual(['bundle']);
  });

  it.each<[string, Bundle]>([
    ['a plain tar', { bytes: tarOf([{ name: 'a' }]), sha256: '' }],
    ['nothing', { bytes: Buffer.alloc(0), sha256: '' }],
    ['a zip', { bytes: Buffer.from('PK\x03\x04aaaaaaaaaa'), sha256: '' }],
    ['a gzip inside a gzip', { bytes: gzipSync(bundleOf({ a: 'x' }).bytes), sha256: '' }],
    ['half a gzip', { bytes: bundleOf({ a: 'xyz'.repeat(99) }).bytes.subarray(0, 60), sha256: '' }],
    [
      'half a zstd',
      { bytes: bundleOf({ a: 'xyz'.repeat(99) }, { compression: 'zstd' }).bytes.subarray(0, 40), sha256: '' },
    ],
    ['half a large gzip', { bytes: bundleOf({ a: bulk() }).bytes.subarray(0, 600_000), sha256: '' }],
  ])('refuses what is no whole compressed tar: %s', async (_what, { bytes }) => {
    const answer = await unpack({ bytes, sha256: createHash('sha256').update(bytes).digest('hex') });
    expect(answer).toMatchObject({ kind: 'refused', code: 'archive_refused' });
  });

  it.each<Compression>(['gzip', 'zstd'])(
    'stops a %s bomb within bounded time and memory',
    async (compression) => {
      const tar = tarOf([{ name: 'zeros', content: Buffer.alloc(256 * MIB) }]);
      const bomb = compress(tar, compression);
      expect(bomb.bytes.length).toBeLessThan(MIB);
      const before = process.resourceUsage().maxRSS;
      const answer = await unpack(bomb, { maxBytes: 1024 * MIB });
      expect(answer).toMatchObject({
        kind: 'refused',
        code: 'caps_exceeded',
        message: expect.stringMatching(/200 times/),
      });
      expect(process.resourceUsage().maxRSS - before).toBeLessThan(96 * 1024);
    },
  );

  it('refuses a zstd window that would take more memory than we give', async () => {
    const pieces: Buffer[] = [];
    const zstd = createZstdCompress({ params: { [constants.ZSTD_c_windowLog]: 27 } });
    zstd.on('data', (piece: Buffer) => pieces.push(piece));
    zstd.end(tarOf([{ name: 'a', content: 'x' }]));
    await new Promise((resolve) => zstd.on('end', resolve));
    const bytes = Buffer.concat(pieces);
    const answer = await unpack({ bytes, sha256: createHash('sha256').update(bytes).digest('hex') });
    expect(answer).toMatchObject({ kind: 'refused', message: expect.stringMatching(/zstd -19/) });
  });

  it('tells bytes that changed on disk from an archive that is bad', async () => {
    const bundle = bundleOf({ 'main.py': 'print(1)' });
    const other = bundleFrom([{ name: '../x' }]);
    expect(await unpack({ bytes: other.bytes, sha256: bundle.sha256 })).toEqual({
      kind: 'altered',
      found: other.sha256,
    });
    const swapped = bundleOf({ 'main.py': 'print(2)' });
    expect(await unpack({ bytes: swapped.bytes, sha256: bundle.sha256 })).toEqual({
      kind: 'altered',
      found: swapped.sha256,
    });
    expect(readdirSync(folder)).toEqual(['bundle']);
  });

  it('notices a file that changes while it is written out', async () => {
    const small = Object.fromEntries(Array.from({ length: 70 }, (_, n) => [`f${n}`, 'x']));
    const bundle = bundleOf({ ...small, 'bulk.bin': bulk(), 'more.bin': bulk() });
    const path = join(folder, 'bundle');
    writeFileSync(path, bundle.bytes);
    let told = 0;
    const request = { id: 1, bundle: path, sha256: bundle.sha256, into: join(folder, 'into'), ...CAPS };
    const answer = await unpackBundle(request, () => {
      told += 1;
      // Zeros in another gzip member: the archive stays the same, the bytes of the file do not.
      if (told === 1) appendFileSync(path, gzipSync(Buffer.alloc(512)));
    });
    expect(told).toBeGreaterThan(0);
    expect(answer).toMatchObject({ kind: 'altered' });
  });

  it('never writes outside its folder, whatever the names', async () => {
    const segment = fc.oneof(
      fc.constantFrom('..', '.', '', 'a', 'A', 'con', 'x:y', 'b\\c', ' ', 'd.', '\u00e9', 'e\u0301', '~'),
      fc.string({ maxLength: 8, unit: 'binary' }),
    );
    const name = fc.array(segment, { minLength: 1, maxLength: 5 }).map((segments) => segments.join('/'));
    const member = fc.record({
      name,
      type: fc.constantFrom('0', '5', '2', '1'),
      content: fc.constantFrom('', 'x'),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(member, { minLength: 1, maxLength: 4 }), async (members) => {
        rmSync(join(folder, 'into'), { recursive: true, force: true });
        const written = members.flatMap((one): Member[] => [
          pax({ path: one.name || 'x' }),
          { ...one, name: 'short', content: one.type === '0' ? one.content : '' },
        ]);
        const answer = await unpack(bundleFrom(written));
        expect(['unpacked', 'refused']).toContain(answer.kind);
        expect(readdirSync(folder).filter((entry) => entry !== 'into')).toEqual(['bundle']);
        expect(readdirSync(folder).includes('into')).toBe(answer.kind === 'unpacked');
      }),
      { numRuns: 150 },
    );
  });
});
