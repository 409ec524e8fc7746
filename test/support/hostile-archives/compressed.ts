import { createCipheriv } from 'node:crypto';
import { constants, gzipSync, zstdCompressSync } from 'node:zlib';
import { type Bundle, bundleFrom, tarOf } from '../bundles.ts';
import { bundleOfBytes } from './caps.ts';
import type { HostileCase } from './hostile-case.ts';

const tar = tarOf([{ name: 'main.py', content: 'print(1)\n'.repeat(50) }]);
const gzip = gzipSync(tar);
const zstd = zstdCompressSync(tar, { params: { [constants.ZSTD_c_checksumFlag]: 1 } });

/** Beyond what is inflated in one go: noise, the same every time, which nothing compresses. */
export function largeTar(): Buffer {
  const noise = createCipheriv('aes-128-ctr', Buffer.alloc(16), Buffer.alloc(16)).update(
    Buffer.alloc(1_500_000),
  );
  return tarOf([{ name: 'noise.bin', content: noise }]);
}

/** A zstd frame that gives no size and asks for a window of `2^log` bytes (RFC 8878, 3.1.1): what `zstd --long` writes. */
function zstdOfWindow(log: number, content: Buffer): Buffer {
  const block = Buffer.alloc(3);
  block.writeUIntLE(content.length * 8 + 1, 0, 3);
  return Buffer.concat([Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0, (log - 10) * 8]), block, content]);
}

const bytes = (rule: HostileCase['rule'], name: string, make: () => Buffer): HostileCase => ({
  name,
  rule,
  bundle: (): Bundle => bundleOfBytes(make()),
});
const changed = (bundle: Buffer, at: number, value: number): Buffer => {
  const copy = Buffer.from(bundle);
  copy[at < 0 ? copy.length + at : at] = value;
  return copy;
};
const behind = (end: Uint8Array) => [
  ['a small gzip', () => Buffer.concat([gzip, end])] as const,
  ['a small zstd', () => Buffer.concat([zstd, end])] as const,
  ['a large gzip', () => Buffer.concat([gzipSync(largeTar()), end])] as const,
  ['a large zstd', () => Buffer.concat([zstdCompressSync(largeTar()), end])] as const,
];

/** Other formats told by their first bytes. */
const FORMATS: readonly (readonly [string, string | Uint8Array])[] = [
  ['nothing', ''],
  ['a tar that is not compressed', tar],
  ['a zip archive', 'PK\u0003\u0004aaaaaaaaaaaa'],
  ['an empty zip archive', 'PK\u0005\u0006'],
  ['an xz file', Buffer.from('fd377a585a000004', 'hex')],
  ['a bzip2 file', 'BZh91AY&SY'],
  ['a 7z archive', Buffer.from('377abcaf271c0004', 'hex')],
  ['a rar archive', 'Rar!\u001a\u0007\u0000'],
  ['an lz4 file', Buffer.from('04224d18', 'hex')],
  ['a file of compress', Buffer.from('1f9d90', 'hex')],
  ['a web page', '<!doctype html>'],
  ['a Git LFS pointer', 'version https://git-lfs.github.com/spec/v1\n'],
  ['a shell script', '#!/bin/sh\nrm -rf /\n'],
];

/** Files that are not the compressed tar that they should be. */
export const COMPRESSED: readonly HostileCase[] = [
  ...FORMATS.map(([name, content]) =>
    bytes('compression', name, () => Buffer.from(content as string, 'latin1')),
  ),
  bytes('compressed_data', 'half a gzip', () => gzip.subarray(0, gzip.length / 2)),
  bytes('compressed_data', 'a gzip without its last byte', () => gzip.subarray(0, -1)),
  bytes('compressed_data', 'a gzip with another checksum', () => changed(gzip, -8, (gzip.at(-8) ?? 0) ^ 1)),
  bytes('compressed_data', 'a gzip with another length', () => changed(gzip, -1, 0x7f)),
  bytes('compressed_data', 'a gzip of another method', () => changed(gzip, 2, 7)),
  bytes('compressed_data', 'the magic bytes of gzip alone', () => gzip.subarray(0, 2)),
  bytes('compressed_data', 'half a large gzip', () => gzipSync(largeTar()).subarray(0, 700_000)),
  bytes('compressed_data', 'half a zstd', () => zstd.subarray(0, zstd.length / 2)),
  bytes('compressed_data', 'a zstd with another checksum', () => changed(zstd, -1, (zstd.at(-1) ?? 0) ^ 1)),
  bytes('compressed_data', 'half a large zstd', () => zstdCompressSync(largeTar()).subarray(0, 700_000)),
  bytes('compressed_data', 'a zstd frame behind a good one, cut short', () =>
    Buffer.concat([zstd, zstd.subarray(0, 20)]),
  ),
  bytes('compressed_data', 'noise behind a gzip', () => Buffer.concat([gzip, Buffer.from('noise')])),
  bytes('zstd_window', 'a zstd that asks for a window of 128 MiB', () => zstdOfWindow(27, tar)),
  bytes('zstd_window', 'a zstd that asks for a window of 2 TiB', () => zstdOfWindow(41, tar)),
  ...behind(Buffer.alloc(3)).map(([what, make]) => bytes('compressed_tail', `zeros behind ${what}`, make)),
  ...behind(Buffer.alloc(2_000_000)).map(([what, make]) =>
    bytes('compressed_tail', `megabytes of zeros behind ${what}`, make),
  ),
  bytes('compressed_tail', 'noise behind a small zstd', () => Buffer.concat([zstd, Buffer.from('noise')])),
  bytes('compressed_tail', 'noise behind a large zstd', () =>
    Buffer.concat([zstdCompressSync(largeTar()), Buffer.alloc(2_000_000, 0x41)]),
  ),
  bytes('header_number', 'a gzip inside a gzip', () => gzipSync(gzipSync(largeTar()))),
  bytes('after_the_end', 'a second archive in a gzip member of its own', () =>
    Buffer.concat([gzip, bundleFrom([{ name: '../evil', content: 'x' }]).bytes]),
  ),
  bytes('after_the_end', 'a second archive in a zstd frame of its own', () =>
    Buffer.concat([zstd, bundleFrom([{ name: '../evil', content: 'x' }], 'zstd').bytes]),
  ),
];
