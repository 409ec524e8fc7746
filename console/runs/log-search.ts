import type { FileHandle } from 'node:fs/promises';
import type { LogSearchAnswer } from '../../schemas/console/run.ts';

const CHUNK_BYTES = 256 * 1024;
/** A line beyond it is looked at as far as this, so that an endless one does not fill the memory. */
const LINE_MAX_BYTES = 64 * 1024;
const TEXT_MAX = 400;
const BEFORE_MATCH = 100;
/** Colours and other escapes of terminals (ECMA-48): a word may be coloured in the middle. */
const [ESC, BELL] = [String.fromCodePoint(0x1b), String.fromCodePoint(0x07)];
const ESCAPES = new RegExp(
  `${ESC}(?:\\[[0-?]*[ -/]*[@-~]|\\][^${BELL}${ESC}]*(?:${BELL}|${ESC}\\\\)?|[@-Z\\\\-_])`,
  'g',
);

/**
 * The lines that have `wanted` in them, whatever its case and the colours, from byte `from` on; at most `limit` of them, and how
 * many there are in all. Reads the file once in pieces, and gives others a turn between them.
 */
export async function searchLog(
  handle: FileHandle,
  options: { readonly wanted: string; readonly from: number; readonly limit: number },
  signal: AbortSignal,
): Promise<LogSearchAnswer> {
  const { wanted, from, limit } = options;
  const needle = wanted.toLowerCase();
  const matches: LogSearchAnswer['matches'] = [];
  let total = 0;
  let line = 0;

  const look = (bytes: Buffer, offset: number) => {
    line += 1;
    if (offset < from) return;
    const plain = bytes.toString('utf8').replaceAll(ESCAPES, '').replace(/\r$/, '');
    const place = plain.toLowerCase().indexOf(needle);
    if (place < 0) return;
    total += 1;
    if (matches.length >= limit) return;
    const start = place > TEXT_MAX - needle.length ? place - BEFORE_MATCH : 0;
    matches.push({ line, offset, text: plain.slice(start, start + TEXT_MAX) });
  };

  let rest = Buffer.alloc(0);
  /** Where `rest` begins, what was left out of it, and how far the file was read. */
  let restAt = 0;
  let dropped = 0;
  let readTo = 0;
  const chunk = Buffer.alloc(CHUNK_BYTES);
  for (;;) {
    signal.throwIfAborted();
    const { bytesRead } = await handle.read(chunk, 0, CHUNK_BYTES, readTo);
    if (bytesRead === 0) break;
    readTo += bytesRead;
    const bytes = Buffer.concat([rest, chunk.subarray(0, bytesRead)]);
    const at = (place: number) => (place === 0 ? restAt : restAt + dropped + place);
    let begin = 0;
    for (let end = bytes.indexOf(10); end >= 0; end = bytes.indexOf(10, begin)) {
      look(bytes.subarray(begin, Math.min(end, begin + LINE_MAX_BYTES)), at(begin));
      begin = end + 1;
    }
    // What is too long is kept as far as it is looked at, with where it began.
    const left = bytes.subarray(begin);
    if (begin > 0) [restAt, dropped] = [at(begin), 0];
    dropped += Math.max(0, left.byteLength - LINE_MAX_BYTES);
    rest = Buffer.from(left.subarray(0, LINE_MAX_BYTES));
    await new Promise((wake) => setImmediate(wake));
  }
  if (rest.byteLength > 0) look(rest, restAt);
  return { matches, total, lines: line, bytes: readTo };
}
