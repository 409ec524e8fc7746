import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { backoffMs, jitteredIntervalMs } from '../../reconciler/backoff.ts';
import { conclude } from '../../reconciler/conditions.ts';
import type { Setback } from '../../reconciler/ports.ts';
import { NOW, REVISION } from './fixtures.ts';

const pace = { intervalMs: 60_000, failures: 1, uniform: 0.5 };
const outcome = {
  revision: REVISION,
  setbacks: [] as Setback[],
  unhealthy: [] as string[],
  held: [] as string[],
  warnings: [] as string[],
};
const retry = { kind: 'retry', code: 'network', message: 'no route' } as const;
const stalled = { kind: 'stalled', code: 'manifest_invalid', message: 'wrong' } as const;
const refused = { kind: 'refused', code: 'seq_rollback', message: 'older' } as const;
const types = (setbacks: Setback[]) =>
  conclude({ ...outcome, setbacks }, [], NOW, pace).conditions.map(
    (condition) => `${condition.type}=${condition.status}`,
  );

describe('conditions', () => {
  it('are Ready alone when everything is applied', () => {
    expect(types([])).toEqual(['Ready=True']);
    expect(conclude(outcome, [], NOW, pace).exitCode).toBe(0);
  });

  it('say Reconciling while it will be tried again, Stalled when a person must act', () => {
    expect(types([retry])).toEqual(['Ready=False', 'Reconciling=True']);
    expect(types([stalled])).toEqual(['Ready=False', 'Stalled=True']);
    expect(types([retry, refused])).toEqual(['Ready=False', 'Stalled=True']);
  });

  it('are not Ready with an unhealthy flow, or before anything was seen', () => {
    expect(conclude({ ...outcome, unhealthy: ['a'] }, [], NOW, pace).ready).toBe(false);
    expect(conclude({ ...outcome, revision: null }, [], NOW, pace).ready).toBe(false);
  });

  it('exit with the lowest of 3, 4 and 5', () => {
    const exit = (...setbacks: Setback[]) => conclude({ ...outcome, setbacks }, [], NOW, pace).exitCode;
    expect([exit(retry), exit(retry, stalled), exit(stalled, refused, retry)]).toEqual([5, 4, 3]);
  });

  it('keep the time of the last change', () => {
    const first = conclude({ ...outcome, setbacks: [retry] }, [], NOW, pace).conditions;
    const later = new Date(NOW.getTime() + 60_000);
    const again = conclude(
      { ...outcome, setbacks: [{ ...retry, message: 'still' }] },
      first,
      later,
      pace,
    ).conditions;
    expect(again.map((condition) => condition.changed_at)).toEqual([NOW.toISOString(), NOW.toISOString()]);
    const ready = conclude(outcome, again, later, pace).conditions[0];
    expect(ready).toMatchObject({ status: 'True', changed_at: later.toISOString() });
  });

  it('never are Ready and Stalled, nor Reconciling and Stalled', () => {
    const setback = fc.constantFrom<Setback>(retry, stalled, refused);
    fc.assert(
      fc.property(
        fc.array(setback, { maxLength: 5 }),
        fc.array(fc.constant('x'), { maxLength: 2 }),
        (setbacks, unhealthy) => {
          const { conditions } = conclude({ ...outcome, setbacks, unhealthy }, [], NOW, pace);
          const holds = (type: string) =>
            conditions.some((condition) => condition.type === type && condition.status === 'True');
          expect(conditions[0]?.type).toBe('Ready');
          expect(holds('Stalled') && (holds('Ready') || holds('Reconciling'))).toBe(false);
        },
      ),
    );
  });

  it('wake up at the interval, sooner for a retry, and never later than the interval', () => {
    expect(conclude(outcome, [], NOW, pace).wakeInMs).toBe(60_000);
    expect(conclude({ ...outcome, setbacks: [retry] }, [], NOW, pace).wakeInMs).toBe(750);
    expect(conclude({ ...outcome, setbacks: [{ ...retry, afterMs: 5_000 }] }, [], NOW, pace).wakeInMs).toBe(
      5_000,
    );
    expect(conclude({ ...outcome, setbacks: [retry] }, [], NOW, { ...pace, failures: 12 }).wakeInMs).toBe(
      60_000,
    );
  });
});

describe('backoff', () => {
  it('doubles from one second to fifteen minutes, with at least half of it always waited', () => {
    expect([1, 2, 3, 10, 11, 50].map((failures) => backoffMs(failures, 1))).toEqual([
      1_000, 2_000, 4_000, 512_000, 900_000, 900_000,
    ]);
    expect(backoffMs(1, 0)).toBe(500);
  });
  it('spreads an interval over ten per cent each way', () => {
    expect([0, 0.5, 1].map((uniform) => jitteredIntervalMs(60_000, uniform))).toEqual([
      54_000, 60_000, 66_000,
    ]);
  });
});
