import type { Clock } from '../../reconciler/ports.ts';

export interface RateLimit {
  /** 0: go on, and it is counted. Else the milliseconds until there is room for one. */
  take(): number;
}

/** A token bucket: `burst` at once, `perSecond` in the long run. */
export function createRateLimit(
  clock: Clock,
  { perSecond, burst }: { readonly perSecond: number; readonly burst: number },
): RateLimit {
  let tokens = burst;
  let last = clock.monotonicMs();
  return {
    take() {
      const now = clock.monotonicMs();
      tokens = Math.min(burst, tokens + ((now - last) * perSecond) / 1_000);
      last = now;
      if (tokens < 1) return ((1 - tokens) * 1_000) / perSecond;
      tokens -= 1;
      return 0;
    },
  };
}
