import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BACKOFF_MAX_MS, backoffMs, RETRY_AFTER_MAX_MS } from '../../sinks/backoff.ts';

describe('the backoff of reports', () => {
  test('doubles from 1 s to 5 min, the upper half at random', () => {
    const unit = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 10_000 }), unit, (failures, uniform) => {
        const whole = Math.min(BACKOFF_MAX_MS, 1_000 * 2 ** (failures - 1));
        const wait = backoffMs(failures, uniform, null);
        expect(wait).toBeGreaterThanOrEqual(whole / 2);
        expect(wait).toBeLessThanOrEqual(whole);
      }),
    );
  });

  test('is at least what the server asks for, and at most an hour of it', () => {
    expect(backoffMs(1, 0, 90_000)).toBe(90_000);
    expect(backoffMs(20, 0.5, 1)).toBe(225_000);
    expect(backoffMs(1, 0, 10 * RETRY_AFTER_MAX_MS)).toBe(RETRY_AFTER_MAX_MS);
  });
});
