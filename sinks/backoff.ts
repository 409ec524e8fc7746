const BACKOFF_FIRST_MS = 1_000;
/** How long an agent is silent at most once its console is back. */
export const BACKOFF_MAX_MS = 5 * 60_000;
/** The longest `Retry-After` that is believed: a server's slip must not silence an agent for a year. */
export const RETRY_AFTER_MAX_MS = 60 * 60_000;

/**
 * The wait after so many failures (from 1), in milliseconds: 1 s doubling to 5 min, of which the upper half is random, so
 * that agents do not come back together. `retryAfterMs` is the least when the server named one.
 */
export function backoffMs(failures: number, uniform: number, retryAfterMs: number | null): number {
  const whole = Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** Math.min(Math.max(0, failures - 1), 30));
  const wait = whole / 2 + (whole / 2) * uniform;
  return Math.round(Math.max(wait, Math.min(retryAfterMs ?? 0, RETRY_AFTER_MAX_MS)));
}
