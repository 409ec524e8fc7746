import { createCipheriv, createHash } from 'node:crypto';
import { type Bundle, bundleOf } from '../test/support/bundles.ts';

/** Bytes that no compression makes smaller, the same in every run. */
function noise(bytes: number, seed: number): Buffer {
  const key = Buffer.alloc(16, seed & 0xff);
  const iv = Buffer.alloc(16);
  iv.writeUInt32BE(seed, 0);
  return createCipheriv('aes-128-ctr', key, iv).update(Buffer.alloc(bytes));
}

const MAIN = 'print("hello")\n';

/** A bundle of one Python file. */
export function smallBundle(): Bundle {
  return bundleOf({ 'main.py': MAIN });
}

/** About `kib` KiB compressed: a Python file and one of noise. */
export function flowBundle(kib: number, seed: number): Bundle {
  return bundleOf({ 'main.py': MAIN, 'data.bin': noise(kib * 1_024 - 300, seed) });
}

/**
 * About 100 MB compressed and 157 MB unpacked, in 2,000 files of 40 folders, as a Python environment with a browser driver has
 * them: some of it text, most of it not.
 */
export function largeBundle(): Bundle {
  const text = Buffer.from('the quick brown fox jumps over the lazy dog, and comes back again\n'.repeat(420));
  const files: Record<string, Uint8Array | string> = { 'main.py': MAIN };
  for (let index = 1; index < 2_000; index += 1) {
    const folder = `lib/part-${String(index % 40).padStart(2, '0')}`;
    files[`${folder}/file-${String(index).padStart(4, '0')}.bin`] = Buffer.concat([
      text,
      noise(50_000, index),
    ]);
  }
  return bundleOf(files);
}

/** The same content under another digest: the time in gzip's header (RFC 1952, 2.3.1) is changed. */
export function sameUnderAnotherDigest(bundle: Bundle, time: number): Bundle {
  const bytes = Buffer.from(bundle.bytes);
  bytes.writeUInt32LE(time, 4);
  return { bytes, sha256: createHash('sha256').update(bytes).digest('hex') };
}
