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

describe('while the disk is full', () => {
  /** What the dispatcher said went wrong. */
  let faults: string[];
  const noted = {
    onFault(error: unknown) {
      faults.push(String(error));
    },
  };
  beforeEach(() => {
    faults = [];
    bench.settings.concurrency = 1;
  });

  it('keeps the result of a run, and everybody else in the queue, until it can be written', async () => {
    for (const id of ['a', 'b', 'c']) bench.activate({ id });
    const dispatcher = bench.dispatcher(noted);
    for (const id of ['a', 'b', 'c']) trigger(dispatcher, `${id}1`, id);
    await bench.settle();
    const result = dispatcher.wait('a1');
    bench.disk.full = true;
    bench.running.get('a1')?.end({ ...SUCCESS, stdout: new TextEncoder().encode('done') });
    await bench.settle();
    await bench.clock.advance(3_600_000);
    expect(faults.length).toBeGreaterThan(5);
    expect(faults.length).toBeLessThan(100);
    expect(dispatcher.counts()).toEqual({ running: 1, queued: 2 });
    expect(bench.reasons('a1')).toEqual(['RunQueued', 'RunStarted']);
    bench.disk.full = false;
    await bench.clock.advance(60_000);
    expect(await result).toMatchObject({ status: 'succeeded', stdout: 'done' });
    await bench.settle();
    for (const id of ['b1', 'c1']) {
      expect([...bench.running.keys()]).toEqual([id]);
      bench.running.get(id)?.end(SUCCESS);
      await bench.settle();
    }
    expect(bench.reports().map(({ run_id, status }) => `${run_id} ${status}`)).toEqual([
      'a1 succeeded',
      'b1 succeeded',
      'c1 succeeded',
    ]);
  });

  it('begins nothing, and goes on with whoever was next', async () => {
    for (const id of ['a', 'b']) bench.activate({ id, lock: 'desktop' });
    bench.settings.concurrency = 0;
    const dispatcher = bench.dispatcher(noted);
    trigger(dispatcher, 'a1', 'a');
    trigger(dispatcher, 'b1', 'b');
    bench.disk.full = true;
    bench.settings.concurrency = 1;
    dispatcher.settingsChanged();
    await bench.settle();
    dispatcher.settingsChanged();
    await bench.settle();
    expect(faults).toHaveLength(1);
    await bench.clock.advance(60_000);
    expect([bench.running.size, dispatcher.counts()]).toEqual([0, { running: 0, queued: 2 }]);
    bench.disk.full = false;
    await bench.clock.advance(60_000);
    await bench.settle();
    expect([...bench.running.keys()]).toEqual(['a1']);
    expect(bench.started).toEqual([{ run_id: 'a1', attempt: 1 }]);
    bench.running.get('a1')?.end(SUCCESS);
    await bench.settle();
    expect([...bench.running.keys()]).toEqual(['b1']);
  });

  it('holds no flow up after an error while its run was looked at', async () => {
    bench.activate({ id: 'a' });
    bench.settings.concurrency = 0;
    let broken = false;
    const get = (runId: string) => {
      if (broken) throw new Error('disk I/O error');
      return bench.runs.get(runId);
    };
    const dispatcher = bench.dispatcher({ ...noted, runs: { ...bench.runs, get } });
    trigger(dispatcher, 'a1');
    bench.settings.concurrency = 1;
    broken = true;
    dispatcher.settingsChanged();
    await bench.settle();
    expect([faults, bench.running.size]).toEqual([['Error: disk I/O error'], 0]);
    broken = false;
    await bench.clock.advance(60_000);
    await bench.settle();
    expect([...bench.running.keys()]).toEqual(['a1']);
  });

  it('keeps the attempt that follows a failed one', async () => {
    bench.activate({ id: 'a', retries: 1 });
    const dispatcher = bench.dispatcher(noted);
    trigger(dispatcher, 'a1');
    await bench.settle();
    bench.disk.full = true;
    bench.running.get('a1')?.end();
    await bench.settle();
    await bench.clock.advance(60_000);
    bench.disk.full = false;
    await bench.clock.advance(120_000);
    await bench.settle();
    expect(bench.running.get('a1')?.request.attempt).toBe(2);
    expect(bench.reports()).toEqual([]);
  });

  it('goes on with a process that has begun and cannot be noted', async () => {
    bench.activate({ id: 'a' });
    const begin = { ...bench.executor };
    begin.start = (...all) => {
      bench.disk.full = true;
      return bench.executor.start(...all);
    };
    const dispatcher = bench.dispatcher({ ...noted, executors: new Map([['python', begin]]) });
    trigger(dispatcher, 'a1');
    await bench.settle();
    bench.disk.full = false;
    expect([faults.length, dispatcher.counts().running]).toEqual([1, 1]);
    bench.running.get('a1')?.end(SUCCESS);
    await bench.settle();
    expect(bench.reports()).toMatchObject([{ run_id: 'a1', status: 'succeeded', attempt: 1 }]);
  });

  it('cancels a run between two attempts once that can be written', async () => {
    bench.activate({ id: 'a', retries: 1 });
    const dispatcher = bench.dispatcher(noted);
    trigger(dispatcher, 'a1');
    await bench.settle();
    bench.running.get('a1')?.end();
    await bench.settle();
    bench.disk.full = true;
    expect(dispatcher.cancel('a1')).toBe(true);
    await bench.settle();
    await bench.clock.advance(60_000);
    expect(dispatcher.cancel('a1')).toBe(true);
    bench.disk.full = false;
    await bench.clock.advance(120_000);
    expect(bench.reports()).toMatchObject([{ run_id: 'a1', status: 'cancelled', attempt: 1 }]);
    expect(bench.running.size).toBe(0);
  });

  it('ends all the same: whoever waits is told, and the next start reports the run as lost', async () => {
    bench.activate({ id: 'a' });
    const dispatcher = bench.dispatcher(noted);
    trigger(dispatcher, 'a1');
    await bench.settle();
    const result = dispatcher.wait('a1').catch(String);
    bench.disk.full = true;
    bench.running.get('a1')?.end(SUCCESS);
    await bench.settle();
    await dispatcher.drain();
    expect(await result).toMatch(/next start reports it as lost.*full/);
    expect(bench.clock.sleepers()).toBe(0);
    bench.disk.full = false;
    expect(await bench.dispatcher().recover({ resume: true })).toEqual(['a1']);
    expect(bench.reports()).toMatchObject([{ run_id: 'a1', status: 'lost' }]);
  });

  it('means what SQLite says it means', async () => {
    const real = createDispatcherBench({ onDisk: true });
    try {
      const pragma = (text: string) =>
        Number(Object.values(real.database.sqlite.prepare(`PRAGMA ${text}`).get() ?? {})[0]);
      real.activate({ id: 'a' });
      const dispatcher = real.dispatcher(noted);
      trigger(dispatcher, 'a1');
      await real.settle();
      pragma(`max_page_count = ${pragma('page_count')}`);
      const much = { ...SUCCESS, stdout: new Uint8Array(1_000_000).fill(120) };
      real.running.get('a1')?.end(much);
      await real.settle();
      await real.clock.advance(60_000);
      expect(real.runs.get('a1')?.state).toBe('running');
      expect(faults[0]).toContain('full');
      pragma('max_page_count = 100000');
      await real.clock.advance(60_000);
      expect(real.runs.get('a1')?.state).toBe('succeeded');
      expect(real.reports()[0]?.stdout).toHaveLength(1_000_000);
    } finally {
      real.dispose();
    }
  });
});
