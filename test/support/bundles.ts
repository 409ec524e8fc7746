import { createHash } from 'node:crypto';
import { gzipSync, zstdCompressSync } from 'node:zlib';

/**
 * Archives for tests, written byte by byte, so that hostile ones can be made too. `bundleOf` makes an honest bundle of files;
 * `tarOf` takes members as they are, however wrong.
 */
export interface Member {
  readonly name: string | Uint8Array;
  readonly content?: string | Uint8Array;
  /** Type flag; `0` a file, `5` a folder, `2` a symbolic link, `x` a pax header, … */
  readonly type?: string;
  readonly mode?: number;
  readonly link?: string;
  /** The size the header claims; the content's own when absent. */
  readonly size?: number;
  /** The ustar prefix field. */
  readonly prefix?: string;
  /** Eight bytes: `ustar\0` + `00` (POSIX) when absent, `ustar  \0` for GNU, empty for v7. */
  readonly magic?: string;
  /** Written instead of the right one. */
  readonly checksum?: number;
  /** Bytes put into the header at an offset, before the checksum is made. */
  readonly patch?: { readonly at: number; readonly bytes: Uint8Array };
}

export type Compression = 'gzip' | 'zstd';
export interface Bundle {
  readonly bytes: Buffer;
  readonly sha256: string;
}

const BLOCK = 512;

/** A tar stream: members, then two blocks of zeros unless `end` says otherwise. */
export function tarOf(members: readonly Member[], end: Uint8Array = Buffer.alloc(2 * BLOCK)): Buffer {
  return Buffer.concat([...members.map(memberBytes), end]);
}

/** The extended header that comes before a member: `{ path: 'é…' }`. Values are text or bytes. */
export function pax(records: Readonly<Record<string, string | Uint8Array>>, type: 'x' | 'g' = 'x'): Member {
  const content = Buffer.concat(Object.entries(records).map(([key, value]) => paxRecord(key, value)));
  return { name: 'PaxHeaders/x', type, content };
}

/** GNU's long name (`L`) or long link target (`K`) before a member. */
export function gnuLong(text: string, type: 'L' | 'K' = 'L'): Member {
  return { name: '././@LongLink', type, content: `${text}\0`, magic: 'ustar  \0' };
}

export function compress(tar: Uint8Array, compression: Compression = 'gzip'): Bundle {
  const bytes = compression === 'gzip' ? gzipSync(tar, { level: 6 }) : zstdCompressSync(tar);
  return { bytes, sha256: createHash('sha256').update(bytes).digest('hex') };
}

/** Members as they are, compressed. */
export function bundleFrom(members: readonly Member[], compression: Compression = 'gzip'): Bundle {
  return compress(tarOf(members), compression);
}

/**
 * An honest bundle: paths to contents. A path that ends in a slash is an empty folder; names longer than a header takes get a
 * pax header; `executable` names the paths with an x bit; `prefix` is put before every name (`./`).
 */
export function bundleOf(
  files: Readonly<Record<string, string | Uint8Array>>,
  options: { compression?: Compression; executable?: readonly string[]; prefix?: string } = {},
): Bundle {
  const { compression = 'gzip', executable = [], prefix = '' } = options;
  const members = Object.entries(files).flatMap(([path, content]): Member[] => {
    const name = prefix + path;
    const folder = path.endsWith('/');
    const member: Member = {
      name: Buffer.byteLength(name) > 100 ? name.slice(0, 40) : name,
      type: folder ? '5' : '0',
      mode: folder || executable.includes(path) ? 0o755 : 0o644,
      content: folder ? '' : content,
    };
    return Buffer.byteLength(name) > 100 ? [pax({ path: name }), member] : [member];
  });
  return bundleFrom(members, compression);
}

function memberBytes(member: Member): Buffer {
  const content = Buffer.from(member.content ?? '');
  const padding = Buffer.alloc((BLOCK - (content.length % BLOCK)) % BLOCK);
  return Buffer.concat([headerBytes(member, content.length), content, padding]);
}

function headerBytes(member: Member, length: number): Buffer {
  const header = Buffer.alloc(BLOCK);
  const octal = (value: number, at: number, digits: number) =>
    header.write(value.toString(8).padStart(digits, '0'), at, 'latin1');
  header.set(Buffer.from(member.name).subarray(0, 100), 0);
  octal(member.mode ?? 0o644, 100, 7);
  octal(1_000, 108, 7);
  octal(1_000, 116, 7);
  octal(member.size ?? length, 124, 11);
  octal(1_700_000_000, 136, 11);
  header.write(member.type ?? '0', 156, 'latin1');
  header.write(member.link ?? '', 157, 100);
  header.write(member.magic ?? 'ustar\u000000', 257, 'latin1');
  header.write(member.prefix ?? '', 345, 155);
  if (member.patch !== undefined) header.set(member.patch.bytes, member.patch.at);
  header.fill(' ', 148, 156);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${(member.checksum ?? sum).toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return header;
}

/** `<length> <key>=<value>\n`, the length counting its own digits. */
export function paxRecord(key: string, value: string | Uint8Array): Buffer {
  const rest = Buffer.concat([Buffer.from(` ${key}=`), Buffer.from(value), Buffer.from('\n')]);
  let length = rest.length + 1;
  while (String(length).length + rest.length !== length) length = String(length).length + rest.length;
  return Buffer.concat([Buffer.from(String(length)), rest]);
}
