import { beforeEach, describe, expect, it } from 'vitest';
import { type UpkeepParts, upkeep } from '../../agent/upkeep.ts';
import { createManualClock, type ManualClock } from '../../system/clock.ts';
import { NOW } from '../reconciler/fixtures.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

let clock: ManualClock;
let heard: string[];
let did: string[];
let last: Date | null;
let full: boolean;
beforeEach(() => {
  clock = createManualClock(NOW);
  [heard, did] = [[], []];
  last = NOW;
  full = false;
});

const write = () => {
  if (full) throw new Error('database or disk is full');
};

function parts(changes: Partial<UpkeepParts> = {}): UpkeepParts {
  return {
    records: {
      lastCleanUp: () => last,
      setLastCleanUp(at) {
        write();
        last = at;
      },
    },
    // every day at four
    settings: () => ({ retention: { schedule: '0 4 * * *' }, timezone: 'UTC' }) as never,
    async collectGarbage() {
      did.push('clean-up');
      write();
      last = clock.now();
    },
    checkDeep: () => void did.push('deep check'),
    clock,
    log: { debug() {}, info() {}, warn() {}, error: (message) => void heard.push(message) },
    ...changes,
  };
}

async function pass(ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += HOUR_MS) {
    await clock.advance(HOUR_MS);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

const count = (what: string) => did.filter((one) => one === what).length;

describe('upkeep', () => {
  it('goes on after a clean-up on a full disk, and tries again at the next time', async () => {
    const ending = new AbortController();
    const done = upkeep(parts(), ending.signal);
    full = true;
    await pass(DAY_MS);
    expect({ cleanUps: count('clean-up'), deepChecks: count('deep check') }).toEqual({
      cleanUps: 1,
      deepChecks: 1,
    });
    expect(heard[0]).toContain('the clean-up failed');
    full = false;
    await pass(DAY_MS);
    expect({ cleanUps: count('clean-up'), deepChecks: count('deep check') }).toEqual({
      cleanUps: 2,
      deepChecks: 2,
    });
    expect(last?.getTime()).toBeGreaterThan(NOW.getTime() + DAY_MS);
    ending.abort();
    await done;
  });

  it('goes on when the database cannot even be read for a while', async () => {
    const ending = new AbortController();
    const records: UpkeepParts['records'] = {
      lastCleanUp() {
        write();
        return last;
      },
      setLastCleanUp: (at) => {
        last = at;
      },
    };
    const done = upkeep(parts({ records }), ending.signal);
    full = true;
    await pass(HOUR_MS);
    full = false;
    await pass(DAY_MS);
    expect(count('clean-up')).toBe(1);
    ending.abort();
    await done;
  });
});
