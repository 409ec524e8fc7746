import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Dispatcher } from '../../reconciler/dispatcher.ts';
import { createDispatcherBench, type DispatcherBench } from './dispatching.ts';

let bench: DispatcherBench;
beforeEach(() => {
  bench = createDispatcherBench();
});
afterEach(() => bench.dispose());

const SUCCESS = { status: 'succeeded', exitCode: 0, reason: null } as const;

function trigger(dispatcher: Dispatcher, runId: string, flow = 'a') {
  return dispatcher.submit({ flow, runId, input: {}, trigger: 'command' });
}

/** Whoever asks in a transaction of its own, which fails at its very end, as on a full disk. */
function inVain(work: () => void): void {
  bench.disk.full = true;
  expect(() => bench.records.transaction(work)).toThrow('full');
  bench.disk.full = false;
}

describe('what is asked for in a transaction that comes to nothing', () => {
  it('leaves nothing behind: asked for again it is queued once, and the flow goes on after it', async () => {
    bench.activate({ id: 'a' });
    const dispatcher = bench.dispatcher();
    trigger(dispatcher, 'a1');
    await bench.settle();
    for (let time = 0; time < 2; time += 1) {
      inVain(() => trigger(dispatcher, 'a2'));
      await bench.settle();
      expect(dispatcher.counts()).toEqual({ running: 1, queued: 0 });
    }
    bench.records.transaction(() => trigger(dispatcher, 'a2'));
    expect(dispatcher.counts()).toEqual({ running: 1, queued: 1 });
    for (const id of ['a1', 'a2', 'a3']) {
      if (id === 'a3') trigger(dispatcher, 'a3');
      await bench.settle();
      expect([...bench.running.keys()]).toEqual([id]);
      bench.running.get(id)?.end(SUCCESS);
      await bench.settle();
    }
    expect(bench.reasons('a2')).toEqual(['RunQueued', 'RunStarted', 'RunSucceeded']);
  });

  it('replaces nothing', async () => {
    bench.activate({ id: 'a', overlap: 'replace' });
    bench.settings.concurrency = 1;
    const dispatcher = bench.dispatcher();
    trigger(dispatcher, 'a1');
    await bench.settle();
    inVain(() => trigger(dispatcher, 'a2'));
    await bench.settle();
    expect(bench.running.get('a1')?.cancelled).toBe(false);
    bench.records.transaction(() => {
      trigger(dispatcher, 'a3');
      expect(bench.running.get('a1')?.cancelled).toBe(false);
    });
    await bench.settle();
    expect(bench.reports()).toMatchObject([{ run_id: 'a1', status: 'cancelled' }]);
    expect([...bench.running.keys()]).toEqual(['a3']);
  });

  it('tells nobody that it is refused or skipped', () => {
    bench.activate({ id: 'a', overlap: 'skip' });
    const completed: string[] = [];
    const listener = {
      started() {},
      completed: (report: { run_id: string }) => completed.push(report.run_id),
    };
    const dispatcher = bench.dispatcher({ listener });
    trigger(dispatcher, 'a1');
    const ask = () => {
      dispatcher.reject({ flow: 'gone', runId: 'r1', input: {}, trigger: 'command' }, 'no such flow');
      trigger(dispatcher, 'a2');
      dispatcher.submit({ flow: 'a', runId: 'a3', input: {}, trigger: 'schedule' });
    };
    inVain(ask);
    expect(bench.reasons()).toEqual(['RunQueued']);
    expect([completed, bench.reports()]).toEqual([[], []]);
    bench.records.transaction(ask);
    expect(bench.reasons()).toEqual(['RunQueued', 'RunFailed', 'RunSkipped', 'RunSkipped']);
    expect(completed).toEqual(['r1', 'a2']);
  });
});
