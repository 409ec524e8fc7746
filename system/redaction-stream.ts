import { type ByteMatcher, ROOT } from './byte-matcher.ts';

/** Bytes in, bytes out. Between two calls it holds back what could be a secret's beginning, never more than the longest form. */
export interface RedactionStream {
  /** The bytes that can be shown now. They may share memory with `chunk`. */
  write(chunk: Uint8Array): Uint8Array;
  /** What was held back. The stream takes nothing after it. */
  end(): Uint8Array;
}

/**
 * Replaces by `mark` every byte that belongs to any match, overlapping ones included; matches that overlap share one mark.
 * What is given out is final: a mark goes out as soon as no longer match can begin before it, so that a secret repeated
 * without end holds nothing back.
 */
export function createRedactionStream(matcher: ByteMatcher, mark: Uint8Array): RedactionStream {
  let state = ROOT;
  /** Seen and not yet given out: as many bytes as `state` is deep. */
  let held: Uint8Array = new Uint8Array(0);
  /** How many bytes at the beginning of `held` belong to a match whose mark is already out. */
  let covered = 0;
  /** Matches inside `held` without a mark yet: pairs of offsets, disjoint, in order. */
  let waiting: number[] = [];

  /** Finds what ends in `bytes` from `at` on, and adds it to `spans`. */
  const scan = (bytes: Uint8Array, from: number, spans: number[]): void => {
    let at = from;
    for (;;) {
      if (state === ROOT) at = matcher.skip(bytes, at);
      if (at >= bytes.length) return;
      state = matcher.step(state, bytes[at] as number);
      at += 1;
      const length = matcher.matched[state] as number;
      if (length === 0) continue;
      let start = at - length;
      while (spans.length > 0 && (spans[spans.length - 1] as number) > start) {
        spans.pop();
        start = Math.min(start, spans.pop() as number);
      }
      spans.push(start, at);
      state = matcher.settle(state);
    }
  };

  /** Gives out the first `until` bytes and keeps the rest. */
  const give = (bytes: Uint8Array, spans: readonly number[], until: number): Uint8Array => {
    const pieces: Uint8Array[] = [];
    const rest: number[] = [];
    let shown = covered;
    for (let index = 0; index < spans.length; index += 2) {
      const start = spans[index] as number;
      const end = spans[index + 1] as number;
      if (start < shown) {
        // It begins inside what a mark already stands for: the mark stands for it too.
        shown = Math.max(shown, end);
      } else if (start < until) {
        pieces.push(bytes.subarray(shown, start), mark);
        shown = end;
      } else {
        rest.push(start - until, end - until);
      }
    }
    const untouched = pieces.length === 0 && shown === 0;
    if (!untouched && shown < until) pieces.push(bytes.subarray(shown, until));
    covered = Math.max(0, shown - until);
    held = bytes.slice(until);
    waiting = rest;
    return untouched ? bytes.subarray(0, until) : Buffer.concat(pieces);
  };

  return {
    write(chunk) {
      const bytes = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
      scan(bytes, held.length, waiting);
      return give(bytes, waiting, bytes.length - (matcher.depth[state] as number));
    },
    end() {
      state = ROOT;
      return give(held, waiting, held.length);
    },
  };
}
