import { type ByteMatcher, ROOT } from './byte-matcher.ts';
import { createBytePlaces } from './byte-places.ts';
import { createEscapeShortcut, type EscapeShortcut } from './escape-shortcut.ts';
import {
  createSpelledSearch,
  type SpelledSearch,
  type SpellingTree,
  spellingTree,
} from './spelled-search.ts';
import { BACKSLASH, ENTITY, LINE_BREAK, PERCENT, UTF16_NUL } from './spelling.ts';

/** Bytes in, bytes out. Between two calls it holds back what could be a secret's beginning, never more than its longest spelling. */
export interface RedactionStream {
  /** The bytes that can be shown now. They may share memory with `chunk`. */
  write(chunk: Uint8Array): Uint8Array;
  /** What was held back. The stream takes nothing after it. */
  end(): Uint8Array;
}

/** What secrets are looked for in, beside the bytes as they are. */
const SPELLINGS: readonly SpellingTree[] = [
  spellingTree(PERCENT, spellingTree(PERCENT)),
  spellingTree(BACKSLASH, spellingTree(BACKSLASH), spellingTree(PERCENT), spellingTree(LINE_BREAK)),
  spellingTree(ENTITY),
  spellingTree(LINE_BREAK),
  spellingTree(UTF16_NUL),
];
/** For each byte, which of them begin on it. */
const BEGUN_BY = Array.from({ length: 256 }, (_, byte) =>
  SPELLINGS.flatMap(({ leads }, index) => (leads[byte] === 1 ? [index] : [])),
);
/** On which bytes some search begins. */
const LEADS = Uint8Array.from(BEGUN_BY, (begun) => (begun.length > 0 ? 1 : 0));

/** What `createRedactionStream` needs, made once for many streams. */
export interface Redaction {
  readonly matcher: ByteMatcher;
  readonly mark: Uint8Array;
  /** The same between the outer NULs of UTF-16. */
  readonly wideMark: Uint8Array;
  /** Of the bytes 0-255, 1 for those that matter where nothing has begun. */
  readonly stops: Uint8Array;
  /** Of each of `SPELLINGS`. */
  readonly shortcuts: readonly EscapeShortcut[];
}

export function prepareRedaction(matcher: ByteMatcher, mark: string): Redaction {
  return {
    matcher,
    mark: Buffer.from(mark, 'utf8'),
    wideMark: Buffer.from(mark, 'utf16le').subarray(0, -1),
    stops: LEADS.map((lead, byte) => (lead === 1 || matcher.begins(byte) ? 1 : 0)),
    shortcuts: SPELLINGS.map((tree) => createEscapeShortcut(matcher, tree)),
  };
}

/**
 * Replaces by `mark` every byte that belongs to any match, overlapping ones included; matches that overlap share one mark.
 * What is given out is final: a mark goes out as soon as no longer match can begin before it, so that a secret repeated
 * without end holds nothing back. In UTF-16 the mark is written as UTF-16, and what follows can still be read.
 */
export function createRedactionStream(redaction: Redaction): RedactionStream {
  const { matcher, mark, wideMark, stops, shortcuts } = redaction;
  let state = ROOT;
  /** Seen and not yet given out, from the offset `base` of the whole on. */
  let held: Uint8Array = new Uint8Array(0);
  let base = 0;
  /** The bytes before this offset are given out, or belong to a match whose mark is. */
  let shown = 0;
  /** Matches without a mark yet: disjoint, in order. */
  let spans: { readonly start: number; readonly end: number }[] = [];

  const found = (start: number, end: number): void => {
    let from = spans.length;
    while (from > 0 && (spans[from - 1] as { end: number }).end > start) from -= 1;
    const later = spans.slice(from);
    const apart = later.filter((span) => span.start >= end);
    const merged = later.filter((span) => span.start < end);
    const union = {
      start: Math.min(start, ...merged.map((span) => span.start)),
      end: Math.max(end, ...merged.map((span) => span.end)),
    };
    spans.splice(from, later.length, union, ...apart);
  };
  const searches = SPELLINGS.map((tree) => createSpelledSearch(matcher, tree, found));
  const places = createBytePlaces();
  /** Offsets of the whole before which each of them has nothing to look for. */
  const passed = new Float64Array(searches.length);

  /** Begins what has to be begun on the lead `byte`; true when something was. */
  const begin = (bytes: Uint8Array, at: number, byte: number): boolean => {
    let begun = false;
    for (const index of BEGUN_BY[byte] as readonly number[]) {
      const search = searches[index] as SpelledSearch;
      if (search.apart || base + at < (passed[index] as number)) continue;
      const past = (shortcuts[index] as EscapeShortcut)(bytes, at, state);
      passed[index] = base + at + past;
      if (past > 0) continue;
      const depth = matcher.depth[state] as number;
      places.reset(base + at - depth, depth);
      search.begin(state, places);
      begun = true;
    }
    return begun;
  };

  /** Finds what ends in `bytes` from `from` on. */
  const scan = (bytes: Uint8Array, from: number): void => {
    let apart = searches.some((search) => search.apart);
    for (let at = from; ; at++) {
      if (state === ROOT && !apart) while (at < bytes.length && stops[bytes[at] as number] === 0) at++;
      if (at >= bytes.length) return;
      const byte = bytes[at] as number;
      if (LEADS[byte] === 1 && begin(bytes, at, byte)) apart = true;
      if (apart) {
        apart = false;
        for (const search of searches) {
          if (search.apart) search.take(byte, base + at, base + at + 1);
          apart ||= search.apart;
        }
      }
      state = matcher.step(state, byte);
      const length = matcher.matched[state] as number;
      if (length === 0) continue;
      found(base + at + 1 - length, base + at + 1);
      state = matcher.settle(state);
    }
  };

  /** Gives out what lies before the offset `until`, and keeps the rest. */
  const give = (bytes: Uint8Array, until: number): Uint8Array => {
    const cut = until - base;
    const pieces: Uint8Array[] = [];
    const untouched = shown <= base && (spans.length === 0 || (spans[0] as { start: number }).start >= until);
    let kept = 0;
    for (const { start, end } of untouched ? [] : spans) {
      if (start >= until && start >= shown) break;
      kept += 1;
      // One that begins inside what a mark already stands for has that mark.
      if (start >= shown)
        pieces.push(bytes.subarray(Math.max(0, shown - base), start - base), markAt(bytes, start - base));
      shown = Math.max(shown, end);
    }
    spans = spans.slice(kept);
    if (shown < until) {
      if (!untouched) pieces.push(bytes.subarray(Math.max(0, shown - base), cut));
      shown = until;
    }
    held = bytes.slice(cut);
    base = until;
    return untouched ? bytes.subarray(0, cut) : Buffer.concat(pieces);
  };

  const markAt = (bytes: Uint8Array, at: number) => (bytes[at + 1] === 0 ? wideMark : mark);

  return {
    write(chunk) {
      const bytes = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
      scan(bytes, held.length);
      const end = base + bytes.length;
      let until = end - (matcher.depth[state] as number);
      for (const search of searches) until = Math.min(until, search.heldFrom());
      return give(bytes, until);
    },
    end() {
      for (const search of searches) search.flush();
      state = ROOT;
      return give(held, base + held.length);
    },
  };
}
