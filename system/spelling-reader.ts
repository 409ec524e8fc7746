import { MORE, type Spelling } from './spelling.ts';

/** A byte as it was meant, and the bytes that say so: `%41` from offset 10 is 0x41 from 10 to 13. */
export type TakeByte = (byte: number, start: number, end: number) => void;

/** Reads one way of spelling bytes. What is no escape passes as it is. */
export interface SpellingReader {
  readonly take: TakeByte;
  /** No more bytes come: what waits for the rest of an escape is settled. */
  flush(): void;
  reset(): void;
  /** Offset of the first byte that waits for the rest of its escape, else Infinity. */
  waitsFrom(): number;
}

/** What continues no escape, and ends one that would go on. */
const AFTER_ALL = 0x01;

/** Reads `spelling` and passes on the bytes that were meant. `leads`: of the bytes 0-255, 1 for its own. */
export function createSpellingReader(spelling: Spelling, leads: Uint8Array, pass: TakeByte): SpellingReader {
  const text: number[] = [];
  const starts: number[] = [];
  const ends: number[] = [];
  let length = 0;
  let since = Number.MAX_SAFE_INTEGER;

  /** How many of the waiting bytes are an escape, with what they mean in `out`. */
  const escape = (last: boolean, out: number[]): number => {
    if (leads[text[0] as number] === 0) return 0;
    const used = spelling.read(text, length, since, out);
    if (used !== MORE || !last) return used;
    text[length] = AFTER_ALL;
    const ended = spelling.read(text, length + 1, since, out);
    return ended > length ? 0 : Math.max(0, ended);
  };

  /** Settles what can be said of the waiting bytes; `last`: no more come. */
  const settle = (last: boolean): void => {
    while (length > 0) {
      const meant: number[] = [];
      const used = escape(last, meant);
      if (used === MORE) return;
      const start = starts[0] as number;
      const end = ends[Math.max(used, 1) - 1] as number;
      const first = text[0] as number;
      drop(Math.max(used, 1));
      since = used > 0 ? 0 : since + 1;
      if (used === 0) pass(first, start, end);
      else for (const byte of meant) pass(byte, start, end);
    }
  };

  const drop = (count: number): void => {
    text.copyWithin(0, count, length);
    starts.copyWithin(0, count, length);
    ends.copyWithin(0, count, length);
    length -= count;
  };

  return {
    take(byte, start, end) {
      if (length === 0 && leads[byte] === 0) {
        since += 1;
        pass(byte, start, end);
        return;
      }
      text[length] = byte;
      starts[length] = start;
      ends[length] = end;
      length += 1;
      settle(false);
    },
    flush: () => settle(true),
    reset() {
      length = 0;
      since = Number.MAX_SAFE_INTEGER;
    },
    waitsFrom: () => (length === 0 ? Number.POSITIVE_INFINITY : (starts[0] as number)),
  };
}
