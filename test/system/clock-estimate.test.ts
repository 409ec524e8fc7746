import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createClockEstimate } from '../../system/clock-estimate.ts';

describe('how far a server is from our clock', () => {
  it('gets more exact with every answer, as the truth is where they overlap', () => {
    const estimate = createClockEstimate(() => 0);
    expect(estimate.value()).toBeNull();
    expect(estimate.add({ offsetMs: 60_000, errorMs: 600 })).toEqual({ offsetMs: 60_000, errorMs: 600 });
    expect(estimate.add({ offsetMs: 60_900, errorMs: 600 })).toEqual({ offsetMs: 60_450, errorMs: 150 });
  });

  it('is not made worse by a slow answer', () => {
    const estimate = createClockEstimate(() => 0);
    estimate.add({ offsetMs: 0, errorMs: 510 });
    expect(estimate.add({ offsetMs: 4_000, errorMs: 30_000 })).toEqual({ offsetMs: 0, errorMs: 510 });
  });

  it('begins anew when a clock was set', () => {
    const estimate = createClockEstimate(() => 0);
    estimate.add({ offsetMs: 0, errorMs: 510 });
    expect(estimate.add({ offsetMs: 3_600_000, errorMs: 520 })).toEqual({
      offsetMs: 3_600_000,
      errorMs: 520,
    });
  });

  it('is trusted less as time goes by', () => {
    let now = 0;
    const estimate = createClockEstimate(() => now);
    estimate.add({ offsetMs: 0, errorMs: 500 });
    now = 3_600_000;
    expect(estimate.value()).toEqual({ offsetMs: 0, errorMs: 860 });
  });

  it('holds the truth for every honest server, however slow its answers are', () => {
    const answer = fc.record({
      way: fc.integer({ min: 0, max: 20_000 }),
      at: fc.double({ min: 0, max: 1, noNaN: true }),
      sent: fc.integer({ min: 0, max: 10_000_000 }),
    });
    const truth = fc.integer({ min: -1e11, max: 1e11 });
    fc.assert(
      fc.property(truth, fc.array(answer, { minLength: 1, maxLength: 30 }), (offset, answers) => {
        const estimate = createClockEstimate(() => 0);
        for (const { way, at, sent } of answers) {
          const written = Math.floor((sent + Math.round(way * at) + offset) / 1_000) * 1_000;
          const offsetMs = Math.round(written + 500 - (sent + sent + way) / 2);
          estimate.add({ offsetMs, errorMs: 500 + Math.ceil(way / 2) });
        }
        const { offsetMs, errorMs } = estimate.value() ?? { offsetMs: Number.NaN, errorMs: 0 };
        expect(Math.abs(offsetMs - offset)).toBeLessThanOrEqual(errorMs + 1);
      }),
    );
  });
});
