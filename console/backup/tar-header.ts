/** One member of an archive: a file. Folders are made of the names of what is in them. */
export interface TarMember {
  /** `/` between segments; none is empty, `.` or `..`. */
  readonly path: string;
  readonly size: number;
}

export const BLOCK = 512;
const NAME_BYTES = 100;
/** What eleven octal digits hold. */
const OCTAL_MAX = 8 ** 11 - 1;

/** How many bytes fill up the last block of so many. */
export function paddingOf(size: number): number {
  return (BLOCK - (size % BLOCK)) % BLOCK;
}

/** The header blocks of a file in POSIX.1-2001: with an extended header when its name or its size need one. */
export function headerBlocks({ path, size }: TarMember, seconds: number): Buffer {
  const plain = Buffer.byteLength(path) <= NAME_BYTES && size <= OCTAL_MAX;
  if (plain) return header({ path, size }, seconds, '0');
  const record = Buffer.from(paxRecord('path', path) + paxRecord('size', String(size)));
  return Buffer.concat([
    header({ path: 'pax', size: record.length }, seconds, 'x'),
    record,
    Buffer.alloc(paddingOf(record.length)),
    header(
      { path: path.slice(-40).replaceAll(/[^\x20-\x7E]/g, '_'), size: Math.min(size, OCTAL_MAX) },
      seconds,
      '0',
    ),
  ]);
}

function header({ path, size }: TarMember, seconds: number, type: '0' | 'x'): Buffer {
  const block = Buffer.alloc(BLOCK);
  block.write(path, 0, NAME_BYTES);
  block.write('0000600\0', 100);
  block.write('0000000\0', 108);
  block.write('0000000\0', 116);
  block.write(`${size.toString(8).padStart(11, '0')}\0`, 124);
  block.write(`${seconds.toString(8).padStart(11, '0')}\0`, 136);
  block.write('        ', 148);
  block.write(type, 156);
  block.write('ustar\u000000', 257);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return block;
}

/** `<length> <key>=<value>\n`, the length that of the whole record. */
function paxRecord(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`;
  const bytes = Buffer.byteLength(rest);
  let length = bytes + String(bytes).length;
  if (String(length).length > String(bytes).length) length = bytes + String(length).length;
  return `${length}${rest}`;
}

/** What a header block says; null for the block of zeros at the end. Throws for what is no header. */
export function readHeader(block: Buffer): { path: string; size: number; type: string } | null {
  if (block.every((byte) => byte === 0)) return null;
  const octal = (from: number, to: number) => Number.parseInt(textIn(block, from, to).trim() || '0', 8);
  const sum = block.reduce((total, byte, at) => total + (at >= 148 && at < 156 ? 32 : byte), 0);
  if (octal(148, 156) !== sum) throw new Error('expected a backup, found a file that is none, or damaged');
  return { path: textIn(block, 0, 100), size: octal(124, 136), type: textIn(block, 156, 157) };
}

/** The records of an extended header. */
export function readPax(bytes: Buffer): Map<string, string> {
  const records = new Map<string, string>();
  let at = 0;
  while (at < bytes.length) {
    const space = bytes.indexOf(0x20, at);
    const length = Number(bytes.toString('latin1', at, space));
    if (space < 0 || !Number.isSafeInteger(length) || length <= 0 || at + length > bytes.length) break;
    const [key = '', ...value] = bytes.toString('utf8', space + 1, at + length - 1).split('=');
    records.set(key, value.join('='));
    at += length;
  }
  return records;
}

function textIn(block: Buffer, from: number, to: number): string {
  const end = block.indexOf(0, from);
  return block.toString('utf8', from, end < 0 || end > to ? to : end);
}
