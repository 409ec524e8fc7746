import { type ByteMatcher, ROOT } from './byte-matcher.ts';
import { type BytePlaces, createBytePlaces } from './byte-places.ts';
import type { Spelling } from './spelling.ts';
import { createSpellingReader } from './spelling-reader.ts';

/** Told of each secret found: the offsets of the bytes that spell it. */
export type FoundSecret = (start: number, end: number) => void;

/** A way of spelling, and those that it may itself be spelled in: JSON inside a JSON string, a URL in JSON. */
export interface SpellingTree {
  readonly spelling: Spelling;
  readonly inside: readonly SpellingTree[];
  /** Of the bytes 0-255, 1 for those on which its escapes begin; and with those inside, which may come first. */
  readonly ownLeads: Uint8Array;
  readonly leads: Uint8Array;
}

export function spellingTree(spelling: Spelling, ...inside: readonly SpellingTree[]): SpellingTree {
  const ownLeads = new Uint8Array(256);
  for (const byte of Buffer.from(spelling.leads, 'latin1')) ownLeads[byte] = 1;
  // `%20` comes before the first backslash of a URL in JSON.
  const first = inside.filter((inner) => inner.spelling.within === 'text');
  const leads = ownLeads.map((own, byte) =>
    own === 1 || first.some((inner) => inner.leads[byte] === 1) ? 1 : 0,
  );
  return { spelling, inside, ownLeads, leads };
}

/** Looks for secrets in what the output means when a way of spelling is read back. */
export interface SpelledSearch {
  /** Of the bytes 0-255, 1 for those on which it begins. */
  readonly leads: Uint8Array;
  /** Takes over before a byte of `leads` where another search stands; `places` are those of the bytes it has in hand. */
  begin(state: number, places: BytePlaces): void;
  /** The next byte, once begun. */
  take(byte: number, start: number, end: number): void;
  /** It has begun, and reads something else than the bytes as they are. */
  readonly apart: boolean;
  flush(): void;
  /** Offset of the first byte that may yet belong to a secret, else Infinity. */
  heldFrom(): number;
}

/**
 * Runs beside another search only from an escape on until what it has in hand is bytes as they stand again: between
 * escapes both would find the same.
 */
export function createSpelledSearch(
  matcher: ByteMatcher,
  tree: SpellingTree,
  found: FoundSecret,
): SpelledSearch {
  const { spelling, leads } = tree;
  const inside = tree.inside.map((inner) => createSpelledSearch(matcher, inner, found));
  const places = createBytePlaces();
  let apart = false;
  let state = ROOT;

  const read = (byte: number, start: number, end: number): void => {
    for (const inner of inside) {
      if (!inner.apart && inner.leads[byte] === 1) inner.begin(state, places);
      if (inner.apart) inner.take(byte, start, end);
    }
    state = matcher.step(state, byte);
    if (state === ROOT) {
      places.reset(0, 0);
      return;
    }
    places.push(start);
    const length = matcher.matched[state] as number;
    if (length > 0) {
      found(places.fromEnd(length), end);
      state = matcher.settle(state);
    }
    places.keep(matcher.depth[state] as number);
  };
  const reader = createSpellingReader(spelling, tree.ownLeads, read);

  return {
    leads,
    get apart() {
      return apart;
    },
    begin(from, given) {
      state = spelling.within === 'encoded secret' ? (matcher.wrapping[from] as number) : from;
      if (state === ROOT && spelling.within !== 'text') return;
      apart = true;
      reader.reset();
      places.copyFrom(given);
      places.keep(matcher.depth[state] as number);
    },
    take(byte, start, end) {
      reader.take(byte, start, end);
      const isPlain = places.adjoin(end) && reader.waitsFrom() === Number.POSITIVE_INFINITY;
      if (isPlain && !inside.some((inner) => inner.apart)) apart = false;
    },
    flush() {
      if (!apart) return;
      reader.flush();
      for (const inner of inside) inner.flush();
      apart = false;
    },
    heldFrom() {
      if (!apart) return Number.POSITIVE_INFINITY;
      return inside.reduce(
        (least, inner) => Math.min(least, inner.heldFrom()),
        Math.min(places.first(), reader.waitsFrom()),
      );
    },
  };
}
