import { beforeEach, describe, expect, it } from 'vitest';
import { keepPart } from '../../agent/daemon-part.ts';
import { createManualClock, type ManualClock } from '../../system/clock.ts';
import type { Log } from '../../system/log.ts';
import { NOW } from '../reconciler/fixtures.ts';

let clock: ManualClock;
let heard: string[];
let ending: AbortController;
let log: Log;
beforeEach(() => {
  clock = createManualClock(NOW);
  heard = [];
  ending = new AbortController();
  log = { debug() {}, info() {}, warn() {}, error: (message) => void heard.push(message) };
});

const settled = () => new Promise((resolve) => setImmediate(resolve));
const untilAborted = (signal: AbortSignal) =>
  new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));

describe('a part of the daemon', () => {
  it('is heard and begun again a minute after an error, without what was still under way of it', async () => {
    const starts: AbortSignal[] = [];
    const kept = keepPart(
      'the tunnel',
      async (signal) => {
        starts.push(signal);
        if (starts.length === 1) throw new Error('no hello');
        await untilAborted(signal);
      },
      { clock, log, signal: ending.signal },
    );
    await settled();
    expect(heard).toEqual(['the tunnel ended by an error; it is begun again in a minute']);
    expect(starts.map((signal) => signal.aborted)).toEqual([true]);
    await clock.advance(59_000);
    expect(starts).toHaveLength(1);
    await clock.advance(1_000);
    expect(starts.map((signal) => signal.aborted)).toEqual([true, false]);
    ending.abort();
    await kept;
  });

  it('is heard when it ends by itself, and ends unheard when the agent does', async () => {
    let starts = 0;
    const kept = keepPart(
      'the schedules',
      async (signal) => {
        starts += 1;
        if (starts === 1) return;
        await untilAborted(signal);
        throw new Error('cut short');
      },
      { clock, log, signal: ending.signal },
    );
    await settled();
    await clock.advance(60_000);
    ending.abort();
    await kept;
    expect(starts).toBe(2);
    expect(heard).toEqual(['the schedules ended by itself; it is begun again in a minute']);
  });
});
