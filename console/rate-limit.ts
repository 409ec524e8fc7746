import { RequestRefused } from './refusal.ts';

const KEYS_MAX = 10_000;

export interface RateLimit {
  /** Takes one token of `key`, or throws 429 with Retry-After. */
  take(key: string): void;
}

/**
 * Token buckets, one a key: `burst` at once, refilled at `perSecond`. `nowMs` must never go back. The oldest keys are
 * forgotten beyond 10,000, so that strangers cannot fill the memory.
 */
export function createRateLimit(options: {
  readonly burst: number;
  readonly perSecond: number;
  readonly nowMs: () => number;
}): RateLimit {
  const buckets = new Map<string, { level: number; at: number }>();
  return {
    take(key) {
      const now = options.nowMs();
      const bucket = buckets.get(key) ?? { level: options.burst, at: now };
      const level = Math.min(options.burst, bucket.level + ((now - bucket.at) / 1_000) * options.perSecond);
      buckets.delete(key);
      buckets.set(key, { level: level >= 1 ? level - 1 : level, at: now });
      if (buckets.size > KEYS_MAX) {
        const [oldest] = buckets.keys();
        if (oldest !== undefined) buckets.delete(oldest);
      }
      if (level < 1) {
        const seconds = Math.ceil((1 - level) / options.perSecond);
        throw new RequestRefused(
          429,
          'rate_limited',
          `expected at most ${options.perSecond} requests a second (${options.burst} at once); try again in ${seconds} s`,
          { 'retry-after': String(seconds) },
        );
      }
    },
  };
}
