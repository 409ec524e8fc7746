import { ArchiveRefusal, quoteName } from './archive-refusal.ts';
import type { ArchiveRule } from './archive-rules.ts';
import { decodeName } from './tar-header.ts';

/** What an extended header changes of the member that follows; everything else it may say (times, owners) is dropped. */
export interface PaxRecords {
  readonly path?: string;
  readonly size?: number;
}

const NEWLINE = 0x0a;
const SPACE = 0x20;
const EQUALS = 0x3d;
const UTF8_CHARSET = 'ISO-IR 10646 2000 UTF-8';

/**
 * Reads the records `<length> <key>=<value>\n` of a pax header (POSIX.1-2001, "pax Header Block"). Strict where readers are
 * known to differ: a wrong length, a key twice, a sparse file, another character set, or a global header that names or
 * sizes members throws `ArchiveRefusal`. A link's target needs no reading: links are refused as such.
 */
export function readPaxRecords(bytes: Uint8Array, scope: 'member' | 'global'): PaxRecords {
  const found = new Map<string, Uint8Array>();
  for (let at = 0; at < bytes.length; ) {
    const { key, value, next } = readRecord(bytes, at);
    if (found.has(key)) throw malformed(`the key ${quoteName(key)} once, found it twice`);
    if (key.startsWith('GNU.sparse.')) {
      throw new ArchiveRefusal('sparse_file', 'expected plain files, found a sparse file');
    }
    found.set(key, value);
    at = next;
  }
  const charset = found.get('hdrcharset');
  if (charset !== undefined && Buffer.from(charset).toString('latin1') !== UTF8_CHARSET)
    throw malformed('names in UTF-8', 'pax_charset');
  const path = found.get('path');
  const size = found.get('size');
  if (scope === 'global' && (path !== undefined || size !== undefined || found.has('linkpath'))) {
    throw malformed('a global header without names and sizes', 'pax_global');
  }
  // An empty value takes a record back (POSIX); the header's own field counts then.
  return {
    ...(path !== undefined && path.length > 0 && { path: decodeName(path) }),
    ...(size !== undefined && size.length > 0 && { size: readSize(size) }),
  };
}

function readRecord(bytes: Uint8Array, start: number): { key: string; value: Uint8Array; next: number } {
  const space = bytes.indexOf(SPACE, start);
  const digits =
    space === -1 ? '' : Buffer.from(bytes.subarray(start, Math.min(space, start + 8))).toString('latin1');
  if (!/^[1-9][0-9]{0,6}$/.test(digits) || digits.length !== space - start) throw malformed('a length');
  const next = start + Number(digits);
  if (next > bytes.length || next <= space || bytes[next - 1] !== NEWLINE)
    throw malformed('records that end where they say');
  const record = bytes.subarray(space + 1, next - 1);
  const equals = record.indexOf(EQUALS);
  if (equals < 1) throw malformed('key=value');
  return { key: decodeName(record.subarray(0, equals)), value: record.subarray(equals + 1), next };
}

function readSize(value: Uint8Array): number {
  const text = Buffer.from(value).toString('latin1');
  const size = /^[0-9]{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(size)) throw malformed('a size in decimal digits');
  return size;
}

function malformed(expected: string, rule: ArchiveRule = 'pax_record'): ArchiveRefusal {
  return new ArchiveRefusal(rule, `expected ${expected} in a pax header of the archive`);
}
