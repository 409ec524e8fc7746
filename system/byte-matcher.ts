/**
 * A compiled set of byte patterns: finds all of them in one pass, whatever their number.
 * Aho and Corasick, "Efficient string matching", CACM 18(6), 1975. Nodes are arrays (first child, next sibling, failure
 * link) and not a full table of 256 columns: a private key of 3 KB has some 70,000 nodes, which are 1 MB here and 70 MB there.
 */
export interface ByteMatcher {
  /** The next state after `byte`. Amortised O(1). */
  step(state: number, byte: number): number;
  /** The same state without patterns read to their very end: nothing longer can come of those, so nothing waits for them. */
  settle(state: number): number;
  /** Whether a pattern begins with `byte`: at the root state all others can be skipped. */
  begins(byte: number): boolean;
  /** Length of the longest pattern that ends in this state, 0 when none does. */
  readonly matched: Int32Array;
  /** How many of the last bytes may be the beginning of a pattern. */
  readonly depth: Int32Array;
  /** The longest of the last bytes that may be the beginning of a pattern that wraps, as a state. */
  readonly wrapping: Int32Array;
}

export interface BytePattern {
  readonly bytes: Uint8Array;
  /** Its own mark on the beginnings that it shares with other patterns; of no effect on what is found. */
  readonly wraps: boolean;
}

export const ROOT = 0;

/** `patterns`: none is empty. A state is a plain number, so that many streams share one matcher. */
export function createByteMatcher(patterns: readonly BytePattern[]): ByteMatcher {
  const capacity = patterns.reduce((sum, { bytes }) => sum + bytes.length, 1);
  const child = new Int32Array(capacity);
  const sibling = new Int32Array(capacity);
  const label = new Uint8Array(capacity);
  const failure = new Int32Array(capacity);
  const matched = new Int32Array(capacity);
  const depth = new Int32Array(capacity);
  const wrapping = new Int32Array(capacity);
  const first = new Int32Array(256);
  let size = 1;

  const childOf = (state: number, byte: number): number => {
    if (state === ROOT) return first[byte] as number;
    let node = child[state] as number;
    while (node !== 0 && label[node] !== byte) node = sibling[node] as number;
    return node;
  };

  for (const { bytes, wraps } of patterns) {
    let state = ROOT;
    for (const byte of bytes) {
      let next = childOf(state, byte);
      if (next === 0) {
        next = size++;
        label[next] = byte;
        depth[next] = (depth[state] as number) + 1;
        sibling[next] = child[state] as number;
        child[state] = next;
        if (state === ROOT) first[byte] = next;
      }
      state = next;
      if (wraps) wrapping[state] = state;
    }
    matched[state] = bytes.length;
  }

  const step = (from: number, byte: number): number => {
    let state = from;
    for (;;) {
      const next = childOf(state, byte);
      if (next !== 0) return next;
      if (state === ROOT) return ROOT;
      state = failure[state] as number;
    }
  };

  // Breadth first: a failure link points to a shallower node, which is therefore done.
  const queue = new Int32Array(size);
  let read = 0;
  let written = 0;
  queue[written++] = ROOT;
  while (read < written) {
    const state = queue[read++] as number;
    for (let node = child[state] as number; node !== 0; node = sibling[node] as number) {
      if (state !== ROOT) failure[node] = step(failure[state] as number, label[node] as number);
      if (matched[node] === 0) matched[node] = matched[failure[node] as number] as number;
      if (wrapping[node] === ROOT) wrapping[node] = wrapping[failure[node] as number] as number;
      queue[written++] = node;
    }
  }

  return {
    step,
    settle(from) {
      let state = from;
      while (state !== ROOT && child[state] === 0) state = failure[state] as number;
      return state;
    },
    begins: (byte) => first[byte] !== 0,
    matched,
    depth,
    wrapping,
  };
}
