import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { reconnectBoundMs, reconnectWaitMs } from '../../../sources/tunnel/reconnect.ts';

const retry = fc.nat({ max: 10_000 });
const uniform = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

describe('the wait before the next connection', () => {
  test('is at most min(64 s, 1 s·2ⁿ) and never less than nothing', () => {
    fc.assert(
      fc.property(retry, uniform, (n, u) => {
        const waitMs = reconnectWaitMs('backoff', n, u);
        expect(waitMs).toBeGreaterThanOrEqual(0);
        expect(waitMs).toBeLessThanOrEqual(Math.min(64_000, 1_000 * 2 ** n));
      }),
    );
  });

  test('is spread over all of it', () => {
    fc.assert(
      fc.property(retry, uniform, (n, u) => {
        expect(reconnectWaitMs('backoff', n, u)).toBeCloseTo(u * reconnectBoundMs(n), 6);
      }),
    );
    expect([0, 1, 5, 6, 7, 1_000].map(reconnectBoundMs)).toEqual([
      1_000, 2_000, 32_000, 64_000, 64_000, 64_000,
    ]);
  });

  test('is at least what the console asked for, and at most a quarter of an hour and the backoff', () => {
    const asked = fc.nat({ max: Number.MAX_SAFE_INTEGER });
    fc.assert(
      fc.property(retry, uniform, asked, (n, u, askedMs) => {
        const waitMs = reconnectWaitMs('backoff', n, u, askedMs);
        expect(waitMs).toBeGreaterThanOrEqual(Math.min(askedMs, 900_000));
        expect(waitMs).toBeLessThanOrEqual(900_000 + 64_000);
      }),
    );
  });

  test('is none after sleep, half a minute at least when replaced, minutes when a person has to act', () => {
    fc.assert(
      fc.property(retry, uniform, (n, u) => {
        expect(reconnectWaitMs('at_once', n, u)).toBe(0);
        const replacedMs = reconnectWaitMs('replaced', n, u);
        expect(replacedMs).toBeGreaterThanOrEqual(32_000);
        expect(replacedMs).toBeLessThanOrEqual(64_000);
        const slowMs = reconnectWaitMs('slow', n, u);
        expect(slowMs).toBeGreaterThanOrEqual(150_000);
        expect(slowMs).toBeLessThanOrEqual(300_000);
      }),
    );
  });
});
