import { RequestRefused } from './refusal.ts';

export interface Shares {
  /** Returns what gives it back, once. Throws `RequestRefused`: 429 when this one has too many, 503 when all together have. */
  take(who: string): () => void;
}

/**
 * Things that are held for as long as somebody holds them (a stream, a search), so many in all and so many for one. Without
 * the second bound the first would let one reader of one tenant shut out everybody else.
 */
export function createShares(bounds: {
  readonly all: number;
  readonly each: number;
  readonly what: string;
}): Shares {
  const { all, each, what } = bounds;
  const held = new Map<string, number>();
  let total = 0;
  return {
    take(who) {
      const own = held.get(who) ?? 0;
      if (own >= each) {
        const message = `expected at most ${each} ${what} at one time of one key or person, found ${own}; end one, or try again later`;
        throw new RequestRefused(429, 'too_many', message, { 'retry-after': '10' });
      }
      if (total >= all) {
        const message = `expected at most ${all} ${what} at one time; try again later`;
        throw new RequestRefused(503, 'busy', message, { 'retry-after': '10' });
      }
      held.set(who, own + 1);
      total += 1;
      let isHeld = true;
      return () => {
        if (!isHeld) return;
        isHeld = false;
        total -= 1;
        const left = (held.get(who) ?? 1) - 1;
        if (left === 0) held.delete(who);
        else held.set(who, left);
      };
    },
  };
}
