const BACKOFF_FIRST_MS = 1_000;
const BACKOFF_MAX_MS = 15 * 60_000;

/**
 * Milliseconds to wait after the `failures`-th failure in a row (from 1): 1 s doubling to 15 min, then between half and
 * the whole of it ("equal jitter"), so that a fleet that failed together does not come back together.
 */
export function backoffMs(failures: number, uniform: number): number {
  const exponent = Math.min(Math.max(failures, 1) - 1, 20);
  const ceiling = Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** exponent);
  return Math.round(ceiling / 2 + (ceiling / 2) * uniform);
}

/** An interval with ±10 % jitter (contract, section 2, `source.interval`). */
export function jitteredIntervalMs(intervalMs: number, uniform: number): number {
  return Math.round(intervalMs * (0.9 + 0.2 * uniform));
}
