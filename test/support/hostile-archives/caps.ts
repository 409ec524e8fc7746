import { createHash } from 'node:crypto';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { type Bundle, type Compression, compress, type Member, pax, tarOf } from '../bundles.ts';
import { type HostileCase, hostile } from './hostile-case.ts';

const MIB = 1024 * 1024;
const GIB = 1024 * MIB;
const ZEROS = 32 * MIB;
const compressed = { gzip: gzipSync, zstd: zstdCompressSync };

/** One member of zeros, compressed in parts that are all alike, so that ten gigabytes of it are made at once. */
function zerosBundle(compression: Compression, size: number): Bundle {
  const pack = compressed[compression];
  const header = tarOf([{ name: 'zeros.bin', ...sized(size) }], new Uint8Array());
  const part = pack(Buffer.alloc(ZEROS));
  const parts = Array.from({ length: size / ZEROS }, () => part);
  return bundleOfBytes(Buffer.concat([pack(header), ...parts, pack(Buffer.alloc(1_024))]));
}

/** Files without content, `f0` to `f<count-1>`. */
export function manyFilesBundle(count: number, compression: Compression = 'zstd'): Bundle {
  const parts: Buffer[] = [];
  // One header, in which only the digits of the name and the checksum change.
  const header = tarOf([{ name: 'f0000000' }], new Uint8Array());
  const zeros = sumOf(header);
  for (let from = 0; from < count; from += 10_000) {
    const block = Buffer.alloc(Math.min(10_000, count - from) * 512);
    for (let at = 0; at < block.length; at += 512) {
      const digits = String(from + at / 512).padStart(7, '0');
      header.copy(block, at);
      block.write(digits, at + 1, 'latin1');
      let sum = zeros;
      for (const digit of digits) sum += Number(digit);
      block.write(`${sum.toString(8).padStart(6, '0')}\0 `, at + 148, 'latin1');
    }
    parts.push(compressed[compression](block));
  }
  parts.push(compressed[compression](Buffer.alloc(1_024)));
  return bundleOfBytes(Buffer.concat(parts));
}

export function bundleOfBytes(bytes: Buffer): Bundle {
  return { bytes, sha256: createHash('sha256').update(bytes).digest('hex') };
}

function sumOf(header: Buffer): number {
  return header.reduce((sum, byte, at) => sum + (at >= 148 && at < 156 ? 0x20 : byte), 0);
}

/** In base 256, as GNU writes what eleven octal digits do not hold. */
function sized(size: number): Pick<Member, 'patch'> {
  const bytes = Buffer.alloc(12);
  bytes[0] = 0x80;
  bytes.writeBigUInt64BE(BigInt(size), 4);
  return { patch: { at: 124, bytes } };
}

const ordinary = (
  name: string,
  make: () => Bundle,
  more: Omit<HostileCase, 'name' | 'bundle'>,
): HostileCase => ({
  name,
  bundle: make,
  ...more,
});

/** Archives that take more than they are given. */
export const CAPS: readonly HostileCase[] = [
  hostile('member_count', 'one file too many', [{ name: 'a' }, { name: 'b' }], { caps: { maxFiles: 2 } }),
  hostile('member_count', 'folders that only lie above others', [{ name: 'a/b/c' }], {
    caps: { maxFiles: 3 },
  }),
  hostile(
    'member_count',
    'nothing but folders',
    [
      { name: 'a/', type: '5' },
      { name: 'b/', type: '5' },
    ],
    {
      caps: { maxFiles: 2 },
    },
  ),
  ordinary('more empty files than are allowed', () => manyFilesBundle(30_000), {
    rule: 'member_count',
    caps: { maxFiles: 20_000 },
  }),
  hostile('unpacked_bytes', 'one byte too many', [{ name: 'a', content: 'abcdefg' }], {
    caps: { maxBytes: 10 },
  }),
  hostile('unpacked_bytes', 'a claim of more', [{ name: 'a', content: '', size: 1_000_000 }], {
    caps: { maxBytes: 999_999 },
  }),
  ordinary('10 GB of zeros in gzip', () => zerosBundle('gzip', 10 * GIB), {
    rule: 'unpacked_bytes',
    caps: { maxBytes: 8 * GIB },
  }),
  ordinary('10 GB of zeros in zstd', () => zerosBundle('zstd', 10 * GIB), {
    rule: 'unpacked_bytes',
    caps: { maxBytes: 8 * GIB },
  }),
  ordinary('10 GB of zeros in zstd, and room for them', () => zerosBundle('zstd', 10 * GIB), {
    rule: 'inflated_ratio',
    caps: { maxBytes: 16 * GIB },
  }),
  ordinary('a gzip bomb, and room for it', () => zerosBundle('gzip', 128 * MIB), {
    rule: 'inflated_ratio',
    caps: { maxBytes: 16 * GIB },
  }),
  ordinary(
    'zeros behind the end, without end',
    () => {
      const zeros = zstdCompressSync(Buffer.alloc(ZEROS));
      const tar = zstdCompressSync(tarOf([{ name: 'a' }]));
      return bundleOfBytes(Buffer.concat([tar, ...Array.from({ length: 4 }, () => zeros)]));
    },
    { rule: 'inflated_ratio', caps: { maxBytes: 16 * GIB } },
  ),
  hostile(
    'inflated_bytes',
    'headers without members',
    Array.from({ length: 30 }, () => pax({ comment: 'x'.repeat(100_000) }, 'g')),
    { caps: { maxBytes: 5, maxFiles: 1 } },
  ),
  ordinary('zeros behind the end, beyond the cap', () => compress(tarOf([], Buffer.alloc(6 * MIB))), {
    rule: 'inflated_bytes',
    caps: { maxBytes: MIB, maxFiles: 1_000 },
  }),
];
