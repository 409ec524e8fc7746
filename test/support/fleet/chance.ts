/** Numbers that look random and are the same for the same seed, so that a fleet can be looked at twice. */
export interface SeededChance {
  /** In [0, 1). */
  uniform(): number;
  /** Whole, from `low` to `high`, both included. */
  between(low: number, high: number): number;
  pick<T>(of: readonly T[]): T;
  /** Lower-case hexadecimal digits. */
  hex(digits: number): string;
}

/** mulberry32: 32 bits of state, good enough to spread things about. */
export function seededChance(seed: number): SeededChance {
  let state = seed >>> 0;
  const uniform = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const between = (low: number, high: number) => low + Math.floor(uniform() * (high - low + 1));
  return {
    uniform,
    between,
    pick: (of) => of[between(0, of.length - 1)] as (typeof of)[number],
    hex: (digits) => Array.from({ length: digits }, () => between(0, 15).toString(16)).join(''),
  };
}
