import fs from 'node:fs';
import { EVENT_LINE_MAX_BYTES as LINE_MAX_BYTES } from '../schemas/event.ts';

/** No line of ours is longer than LINE_MAX_BYTES: messages are cut (event-chain.ts). A longer one is not ours. */
const CHUNK_BYTES = 64 * 1024;

export interface Line {
  /** Without its newline. */
  readonly bytes: Buffer;
  /** Where it begins in the file. */
  readonly offset: number;
  /** False for what stands after the last newline, and for a line longer than LINE_MAX_BYTES (then cut to that). */
  readonly whole: boolean;
}

/**
 * The lines of a file from a byte offset on, read in pieces of 64 KiB: a file of any size takes little memory. What it
 * yields is valid until the next step only.
 */
export function* readLines(file: string, from = 0): Generator<Line> {
  const fd = fs.openSync(file, 'r');
  try {
    const buffer = Buffer.alloc(CHUNK_BYTES + LINE_MAX_BYTES);
    let start = 0;
    let end = 0;
    let position = from;
    /** Inside a line that is too long already: its rest is skipped. */
    let skipping = false;
    for (;;) {
      let newline = buffer.subarray(start, end).indexOf(0x0a);
      while (newline !== -1) {
        if (!skipping) {
          yield {
            bytes: buffer.subarray(start, start + newline),
            offset: position - (end - start),
            whole: newline <= LINE_MAX_BYTES,
          };
        }
        skipping = false;
        start += newline + 1;
        newline = buffer.subarray(start, end).indexOf(0x0a);
      }
      if (end - start > LINE_MAX_BYTES && !skipping) {
        yield {
          bytes: buffer.subarray(start, start + LINE_MAX_BYTES),
          offset: position - (end - start),
          whole: false,
        };
        skipping = true;
      }
      if (skipping) start = end;
      buffer.copyWithin(0, start, end);
      end -= start;
      start = 0;
      const read = fs.readSync(fd, buffer, end, Math.min(CHUNK_BYTES, buffer.length - end), position);
      if (read === 0) {
        if (end > 0 && !skipping)
          yield { bytes: buffer.subarray(0, end), offset: position - end, whole: false };
        return;
      }
      position += read;
      end += read;
    }
  } finally {
    fs.closeSync(fd);
  }
}
