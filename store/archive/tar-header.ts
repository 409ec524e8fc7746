import { ArchiveRefusal, quoteName } from './archive-refusal.ts';

export const BLOCK_BYTES = 512;

export interface TarHeader {
  /** Type flag as one character; `0` for the old NUL. */
  readonly type: string;
  /**
   * With the ustar prefix; throws `ArchiveRefusal` when it is no UTF-8. Only asked for when no extended header gives a longer name:
   * the short one may then be cut in the middle of a character.
   */
  readonly name: () => string;
  /** Bytes that follow. */
  readonly size: number;
  readonly mode: number;
}

/** Strict: bytes that are no UTF-8 would be another name on every platform. */
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Reads one 512-byte header (POSIX.1-1988 ustar, GNU, v7); null for a block of zeros. Throws `ArchiveRefusal` for a wrong
 * checksum, a number that is none, or a name that is no UTF-8.
 */
export function readTarHeader(block: Uint8Array): TarHeader | null {
  const sum = sumOf(block);
  if (sum === 0) return null;
  // The eight bytes of the checksum count as spaces; a header whose sum is 0 has been told apart above.
  if (numberAt(block, 148, 8, 'checksum') !== sum) {
    throw new ArchiveRefusal(
      'header_checksum',
      'expected a tar header, found a block whose checksum is wrong',
    );
  }
  const flag = String.fromCharCode(block[156] ?? 0);
  const magic = String.fromCharCode(...block.subarray(257, 263));
  // GNU's own format (`ustar  `) has other things where POSIX has the prefix.
  const prefix = magic === 'ustar\0' ? fieldAt(block, 345, 155) : new Uint8Array();
  const short = fieldAt(block, 0, 100);
  return {
    type: flag === '\0' ? '0' : flag,
    name: () => (prefix.length === 0 ? decodeName(short) : `${decodeName(prefix)}/${decodeName(short)}`),
    size: numberAt(block, 124, 12, 'size'),
    mode: numberAt(block, 100, 8, 'mode'),
  };
}

/** Decodes a name. Throws `ArchiveRefusal` when it is no UTF-8. */
export function decodeName(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes);
  } catch {
    const shown = quoteName(Buffer.from(bytes).toString('latin1'));
    throw new ArchiveRefusal('name_encoding', `expected names in UTF-8, found ${shown}`);
  }
}

/** The sum of the bytes, those of the checksum read as spaces; 0 when every byte is 0. */
function sumOf(block: Uint8Array): number {
  let sum = 0;
  let any = 0;
  for (let at = 0; at < BLOCK_BYTES; at += 1) {
    const byte = block[at] ?? 0;
    any |= byte;
    sum += at >= 148 && at < 156 ? 0x20 : byte;
  }
  return any === 0 ? 0 : sum;
}

/** Up to the first NUL; a copy, as the block is read into again. */
function fieldAt(block: Uint8Array, offset: number, length: number): Uint8Array {
  const field = block.subarray(offset, offset + length);
  const end = field.indexOf(0);
  return field.slice(0, end === -1 ? length : end);
}

/** Octal text ended by spaces or NULs, or GNU's base-256 when the first bit is set. */
function numberAt(block: Uint8Array, offset: number, length: number, what: string): number {
  const field = block.subarray(offset, offset + length);
  const first = field[0] ?? 0;
  if (first === 0x80) {
    let value = 0;
    for (const byte of field.subarray(1)) value = value * 256 + byte;
    if (Number.isSafeInteger(value)) return value;
  } else {
    const text = String.fromCharCode(...field);
    const digits = /^ *([0-7]*)[ \0]*$/.exec(text)?.[1];
    if (digits !== undefined) return digits === '' ? 0 : Number.parseInt(digits, 8);
  }
  throw new ArchiveRefusal('header_number', `expected a number as the ${what} in a tar header, found none`);
}
