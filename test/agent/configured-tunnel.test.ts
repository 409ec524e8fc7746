import { beforeEach, describe, expect, it } from 'vitest';
import { createConfiguredTunnel } from '../../agent/configured-tunnel.ts';
import type { Tunnel } from '../../reconciler/ports.ts';
import { createManualClock, type ManualClock } from '../../system/clock.ts';
import { NOW } from '../reconciler/fixtures.ts';

let clock: ManualClock;
let faults: unknown[];
let key: string;
let built: { key: string; signal: AbortSignal }[];
let failing: boolean;
beforeEach(() => {
  clock = createManualClock(NOW);
  [faults, built] = [[], []];
  key = 'one';
  failing = false;
});

const settled = () => new Promise((resolve) => setImmediate(resolve));

function createTunnel() {
  const build = (): Tunnel => ({
    async run(signal) {
      built.push({ key, signal });
      if (failing) throw new Error('the hello could not be made');
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
    },
    state: () => ({ state: 'disconnected', since: null, message: null }),
  });
  return createConfiguredTunnel({
    key: () => key,
    build,
    clock,
    onFault: (error) => void faults.push(error),
  });
}

describe('the tunnel that agent.yaml names', () => {
  it('stays while nothing of it changes, and is built anew when it does', async () => {
    const ending = new AbortController();
    const tunnel = createTunnel();
    const done = tunnel.run(ending.signal);
    await settled();
    tunnel.renew();
    await settled();
    expect(built).toHaveLength(1);
    key = 'two';
    tunnel.renew();
    await settled();
    expect(built.map((one) => [one.key, one.signal.aborted])).toEqual([
      ['one', true],
      ['two', false],
    ]);
    ending.abort();
    await done;
    expect(faults).toEqual([]);
    expect(tunnel.state().state).toBe('disconnected');
  });

  it('is heard when it fails, and is built anew a minute later', async () => {
    const ending = new AbortController();
    const tunnel = createTunnel();
    failing = true;
    const done = tunnel.run(ending.signal);
    await settled();
    expect(faults).toEqual([new Error('the hello could not be made')]);
    expect(tunnel.state().state).toBe('disconnected');
    failing = false;
    await clock.advance(60_000);
    await settled();
    expect(built.map((one) => one.signal.aborted)).toEqual([true, false]);
    ending.abort();
    await done;
  });

  it('does not wait for the minute when agent.yaml changes after it failed', async () => {
    const ending = new AbortController();
    const tunnel = createTunnel();
    failing = true;
    const done = tunnel.run(ending.signal);
    await settled();
    failing = false;
    key = 'two';
    tunnel.renew();
    await settled();
    expect(built.map((one) => one.key)).toEqual(['one', 'two']);
    ending.abort();
    await done;
    expect(faults).toHaveLength(1);
  });
});
