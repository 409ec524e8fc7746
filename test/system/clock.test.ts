import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createManualClock, createSystemChance, createSystemClock } from '../../system/clock.ts';

const UUIDV7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const forever = new AbortController().signal;

describe('the system clock', () => {
  test('waits as long as it was asked to', async () => {
    const clock = createSystemClock();
    const before = clock.monotonicMs();
    await clock.sleep(40, forever);
    expect(clock.monotonicMs() - before).toBeGreaterThanOrEqual(38);
  });

  test('gives the reason of the abort at once and leaves no timer behind', async () => {
    const clock = createSystemClock();
    const stop = new AbortController();
    const reason = new Error('stopping');
    const asleep = clock.sleep(60_000, stop.signal);
    stop.abort(reason);
    await expect(asleep).rejects.toBe(reason);
    await expect(clock.sleep(60_000, stop.signal)).rejects.toBe(reason);
    expect(process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length).toBeLessThan(3);
  });

  test('does not wake at once from a wait longer than one timer can hold', async () => {
    const stop = new AbortController();
    const asleep = createSystemClock().sleep(90 * 24 * 3_600_000, stop.signal);
    const first = await Promise.race([
      asleep.then(() => 'woke'),
      new Promise((resolve) => setTimeout(resolve, 30, 'sleeps')),
    ]);
    stop.abort(new Error('enough'));
    await expect(asleep).rejects.toThrow('enough');
    expect(first).toBe('sleeps');
  });
});

describe('UUIDv7', () => {
  test('carries the time in its first 48 bits, the version and the variant', () => {
    const id = createSystemChance(() => 0x017f22e279b0).uuidv7();
    expect(id).toMatch(UUIDV7);
    expect(id.slice(0, 13)).toBe('017f22e2-79b0');
  });

  test('rises strictly, however the clock moves', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 5 }), { minLength: 2, maxLength: 300 }), (times) => {
        let index = 0;
        const chance = createSystemChance(() => 1_700_000_000_000 + (times[index++] ?? 0));
        const ids = times.map(() => chance.uuidv7());
        for (let i = 1; i < ids.length; i += 1) expect(ids[i]! > ids[i - 1]!).toBe(true);
        expect(ids.every((id) => UUIDV7.test(id))).toBe(true);
      }),
    );
  });

  test('stays unique and in order when more are made in a millisecond than its counter holds', () => {
    const chance = createSystemChance(() => 1_700_000_000_000);
    const ids = Array.from({ length: 20_000 }, () => chance.uuidv7());
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids.toSorted()).toEqual(ids);
  });

  test('uniform stays within [0, 1)', () => {
    const chance = createSystemChance();
    const values = Array.from({ length: 1_000 }, () => chance.uniform());
    expect(values.every((value) => value >= 0 && value < 1)).toBe(true);
    expect(new Set(values).size).toBeGreaterThan(900);
  });
});

describe('the manual clock', () => {
  test('wakes sleepers in the order of their time, at their time', async () => {
    const clock = createManualClock(new Date('2026-11-20T15:00:00Z'));
    const woken: string[] = [];
    const note = (name: string) => () => woken.push(`${name} ${clock.now().toISOString().slice(14, 19)}`);
    void clock.sleep(30_000, forever).then(note('late'));
    void clock.sleep(10_000, forever).then(note('early'));
    await clock.advance(29_999);
    expect(woken).toEqual(['early 00:10']);
    await clock.advance(1);
    expect(woken).toEqual(['early 00:10', 'late 00:30']);
    expect(clock.sleepers()).toBe(0);
  });

  test('wakes a loop that sleeps again as often as the time allows', async () => {
    const clock = createManualClock(new Date(0));
    let beats = 0;
    void (async () => {
      for (;;) {
        await clock.sleep(1_000, forever);
        beats += 1;
      }
    })();
    await clock.advance(5_500);
    expect(beats).toBe(5);
  });

  test('can be set back without the monotonic time going back', async () => {
    const clock = createManualClock(new Date('2026-11-20T15:00:00Z'));
    await clock.advance(1_000);
    clock.set(new Date('2016-01-01T00:00:00Z'));
    expect(clock.now().getUTCFullYear()).toBe(2016);
    expect(clock.monotonicMs()).toBe(1_000);
  });

  test('rejects with the reason of the abort and forgets the sleeper', async () => {
    const clock = createManualClock(new Date(0));
    const stop = new AbortController();
    const asleep = clock.sleep(1_000, stop.signal);
    stop.abort(new Error('enough'));
    await expect(asleep).rejects.toThrow('enough');
    expect(clock.sleepers()).toBe(0);
  });
});
