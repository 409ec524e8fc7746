import { ArchiveRefusal } from './archive-refusal.ts';

/** What people send instead, by its first bytes, so that the message can say it. */
const OTHERS: readonly [found: string, magic: string, at?: number][] = [
  ['a zip archive', 'PK\u0003\u0004'],
  ['an empty zip archive', 'PK\u0005\u0006'],
  ['an xz file', '\u00fd7zXZ\u0000'],
  ['a bzip2 file', 'BZh'],
  ['a 7z archive', '7z\u00bc\u00af\u0027\u001c'],
  ['a rar archive', 'Rar!\u001a\u0007'],
  ['an lz4 file', '\u0004\u0022M\u0018'],
  ['an lzip file', 'LZIP'],
  ['a file of compress (.Z)', '\u001f\u009d'],
  ['a cabinet file', 'MSCF'],
  ['an ar archive or a .deb package', '!<arch>\n'],
  ['a tar archive that is not compressed', 'ustar', 257],
  ['a Git LFS pointer', 'version https://git-lfs'],
  ['a web page', '<!'],
  ['a web page', '<html'],
  ['an XML document', '<?xml'],
];

/** How a bundle is compressed, told by its first bytes; throws `ArchiveRefusal` for anything but gzip and zstd. */
export function detectCompression(start: Uint8Array): 'gzip' | 'zstd' {
  const begins = (magic: string, from = 0) =>
    Buffer.from(magic, 'latin1').every((byte, at) => start[from + at] === byte);
  if (begins('\u001f\u008b')) return 'gzip';
  if (begins('(\u00b5/\u00fd')) return 'zstd';
  // A frame to be skipped (RFC 8878, 3.1.2) may come first.
  if (((start[0] ?? 0) & 0xf0) === 0x50 && begins('*M\u0018', 1)) return 'zstd';
  const other = OTHERS.find(([, magic, at]) => begins(magic, at))?.[0];
  const first = Buffer.from(start.subarray(0, 4)).toString('hex');
  const found = start.length === 0 ? 'an empty file' : (other ?? `a file that begins with ${first}`);
  throw new ArchiveRefusal('compression', `expected a bundle in .tar.gz or .tar.zst, found ${found}`);
}
