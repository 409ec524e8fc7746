import { type ByteMatcher, ROOT } from './byte-matcher.ts';
import type { SpellingTree } from './spelled-search.ts';
import { MORE } from './spelling.ts';

/**
 * How many bytes from `at` on can be passed by without a search, as one that began there would end again with nothing in hand;
 * 0 when it must begin. `bytes[at]` is a lead of the tree, `state` what the bytes before it are the beginning of.
 */
export type EscapeShortcut = (bytes: Uint8Array, at: number, state: number) => number;

/** As `EscapeShortcut`, for an escape whose first byte `first` was meant, and may be written otherwise; the rest begins at `next`. */
type Passed = (first: number, bytes: Uint8Array, next: number, state: number) => number;

const NEVER = Number.MAX_SAFE_INTEGER;
/** The longest escape that `Spelling.read` asks for. */
const ESCAPE_MAX_BYTES = 24;

/**
 * Most escapes in ordinary output (`\n` and `\"` of JSON lines, `%20`, line ends) have nothing to do with any secret. To say so takes a
 * look at the escape and what it means; a search that begins, holds places and ends costs twenty times as much.
 */
export function createEscapeShortcut(matcher: ByteMatcher, tree: SpellingTree): EscapeShortcut {
  const own = createPassed(matcher, tree, null);
  const others = tree.inside.map((inner) => ({ inner, passed: createPassed(matcher, inner, tree.ownLeads) }));
  const pairs = meantByPairs(tree);
  return (bytes, at, state) => {
    const first = bytes[at] as number;
    if (tree.ownLeads[first] === 1) {
      const byte = at + 1 < bytes.length ? (pairs[bytes[at + 1] as number] as number) : -1;
      if (byte < 0 || matcher.wrapping[state] !== ROOT) return own(first, bytes, at + 1, state);
      return matcher.step(state, byte) === ROOT ? 2 : 0;
    }
    for (const { inner, passed } of others)
      if (inner.leads[first] === 1 && passed(first, bytes, at + 1, state) === 0) return 0;
    return 1;
  };
}

/** What each byte means after the lead of the tree, where the two are an escape (`\n`) that no other is spelled in; else -1. */
function meantByPairs({ spelling, inside }: SpellingTree): Int16Array {
  const pairs = new Int16Array(256).fill(-1);
  if (spelling.within !== 'text') return pairs;
  const lead = spelling.leads.charCodeAt(0);
  return pairs.map((none, second) => {
    const meant: number[] = [];
    if (spelling.read([lead, second], 2, NEVER, meant) !== 2 || meant.length !== 1) return none;
    const [byte] = meant as [number];
    return inside.some((inner) => inner.spelling.within === 'text' && inner.leads[byte] === 1) ? none : byte;
  });
}

/** `around`: leads of the spelling that this one is spelled in; bytes that are none of them are what they mean. */
function createPassed(matcher: ByteMatcher, tree: SpellingTree, around: Uint8Array | null): Passed {
  const { spelling, leads } = tree;
  const inside = tree.inside.map((inner) => ({
    inner,
    passed: createPassed(matcher, inner, tree.ownLeads),
  }));
  // Made once: this runs for every escape of every output.
  const text = Array.from({ length: ESCAPE_MAX_BYTES }, () => 0);
  const meant: number[] = [];
  let length = 0;

  /** As `Spelling.read`; MORE: it cannot be said from here. */
  const read = (first: number, bytes: Uint8Array, next: number): number => {
    if (meant.length > 0) meant.length = 0;
    text[0] = first;
    for (length = 1; ; ) {
      const used = spelling.read(text, length, NEVER, meant);
      if (used !== MORE) return used;
      const byte = bytes[next + length - 1];
      if (byte === undefined || around?.[byte] === 1 || length === ESCAPE_MAX_BYTES) return MORE;
      text[length++] = byte;
    }
  };

  return (first, bytes, next, state) => {
    const from = spelling.within === 'encoded secret' ? (matcher.wrapping[state] as number) : state;
    if (from === ROOT && spelling.within !== 'text') return 1;
    const used = read(first, bytes, next);
    if (used === MORE) return 0;
    if (used === 0) {
      // No escape: every search reads the same bytes, if another escape is not the reason for it.
      for (let index = 1; index < length; index++) if (leads[text[index] as number] === 1) return 0;
      return around === null || (!matcher.begins(first) && matcher.step(from, first) === ROOT) ? 1 : 0;
    }
    const after = next + used - 1;
    if (meant.length === 0) {
      const byte = bytes[after];
      if (byte === undefined || leads[byte] === 1 || around?.[byte] === 1) return 0;
      return matcher.step(from, byte) === ROOT ? used : 0;
    }
    let reached = from;
    for (const byte of meant) {
      for (const { inner, passed } of inside) {
        if (inner.leads[byte] === 1 && (meant.length > 1 || passed(byte, bytes, after, reached) === 0))
          return 0;
      }
      reached = matcher.step(reached, byte);
      if (matcher.matched[reached] !== 0) return 0;
    }
    return reached === ROOT ? used : 0;
  };
}
