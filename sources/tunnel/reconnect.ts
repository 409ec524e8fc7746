import {
  RECONNECT_ASKED_MAX_MS,
  RECONNECT_FIRST_MS,
  RECONNECT_MAX_MS,
  RECONNECT_SLOW_MS,
} from './websocket-limits.ts';

/**
 * How the next connection is gone about. `at_once`: nobody failed, this machine slept. `backoff`: the contract's schedule.
 * `replaced`: another connection of the same agent is there; two machines with one key must not take it from each other all
 * day. `slow`: a person has to change something first.
 */
export type Pace = 'at_once' | 'backoff' | 'replaced' | 'slow';

/** The most the backoff waits before the retry number `retry` (from 0): min(64 s, 1 s·2ⁿ) (contract, section 8). */
export function reconnectBoundMs(retry: number): number {
  return Math.min(RECONNECT_MAX_MS, RECONNECT_FIRST_MS * 2 ** Math.min(retry, 30));
}

/**
 * The wait before the next connection in milliseconds. `uniform` in [0, 1) spreads agents that lost the same console.
 * `askedMs`: what the console asked for (goaway, Retry-After), believed up to 15 minutes, and spread beyond it.
 */
export function reconnectWaitMs(pace: Pace, retry: number, uniform: number, askedMs = 0): number {
  switch (pace) {
    case 'at_once':
      return 0;
    case 'backoff':
      return Math.min(askedMs, RECONNECT_ASKED_MAX_MS) + uniform * reconnectBoundMs(retry);
    case 'replaced':
      return (RECONNECT_MAX_MS * (1 + uniform)) / 2;
    case 'slow':
      return (RECONNECT_SLOW_MS * (1 + uniform)) / 2;
  }
}
