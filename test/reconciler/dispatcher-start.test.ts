import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Executor } from '../../reconciler/ports.ts';
import { createDispatcherBench, type DispatcherBench, queued } from './dispatching.ts';

let bench: DispatcherBench;
beforeEach(() => {
  bench = createDispatcherBench();
});
afterEach(() => bench.dispose());

describe('a run whose start takes long', () => {
  /** As one that builds an environment first. */
  const building = (): Executor => ({
    ...bench.executor,
    start: ({ signal }) =>
      new Promise((_, reject) => {
        signal?.addEventListener('abort', () => reject(signal.reason as Error));
      }),
  });

  it('is given up by a cancel, and frees its place', async () => {
    bench.activate({ id: 'a', retries: 3 });
    const dispatcher = bench.dispatcher({ executors: new Map([['python', building()]]) });
    const id = queued(dispatcher.submit({ flow: 'a', input: {}, trigger: 'local' }));
    await bench.settle();
    expect(dispatcher.counts()).toEqual({ running: 1, queued: 0 });
    expect(dispatcher.cancel(id)).toBe(true);
    await bench.settle();
    expect(dispatcher.counts()).toEqual({ running: 0, queued: 0 });
    expect(bench.reports()).toMatchObject([
      { run_id: id, status: 'cancelled', attempt: 1, reason: 'cancelled before it was started' },
    ]);
  });

  it('is given up for the run that replaces it, and when the agent ends all', async () => {
    bench.activate({ id: 'a', overlap: 'replace' });
    const dispatcher = bench.dispatcher({ executors: new Map([['python', building()]]) });
    const [first, second] = [1, 2].map(() =>
      queued(dispatcher.submit({ flow: 'a', input: {}, trigger: 'local' })),
    );
    await bench.settle();
    expect(bench.runs.get(first as string)).toMatchObject({ state: 'cancelled' });
    expect(bench.runs.get(second as string)).toMatchObject({ state: 'running' });
    dispatcher.cancelRunning();
    await bench.settle();
    expect(bench.runs.get(second as string)).toMatchObject({ state: 'cancelled' });
  });
});
