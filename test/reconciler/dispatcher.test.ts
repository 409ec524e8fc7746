import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Dispatcher } from '../../reconciler/dispatcher.ts';
import type { Executor } from '../../reconciler/ports.ts';
import { createDispatcherBench, type DispatcherBench, queued } from './dispatching.ts';
import { DIGEST } from './fixtures.ts';

let bench: DispatcherBench;
beforeEach(() => {
  bench = createDispatcherBench();
});
afterEach(() => bench.dispose());

const SUCCESS = { status: 'succeeded', exitCode: 0, reason: null } as const;

function trigger(dispatcher: Dispatcher, flow: string, more: object = {}) {
  return dispatcher.submit({ flow, input: {}, trigger: 'local', ...more });
}

describe('the queue', () => {
  it('runs as many at a time as runs.concurrency says, oldest first', async () => {
    for (const id of ['a', 'b', 'c']) bench.activate({ id });
    const dispatcher = bench.dispatcher();
    const ids = ['a', 'b', 'c'].map((flow) => queued(trigger(dispatcher, flow)));
    await bench.settle();
    expect([...bench.running.keys()]).toEqual(ids.slice(0, 2));
    expect(dispatcher.counts()).toEqual({ running: 2, queued: 1 });
    bench.running.get(ids[1] as string)?.end(SUCCESS);
    await bench.settle();
    expect([...bench.running.keys()]).toEqual([ids[0], ids[2]]);
  });

  it('lets more run at once when the settings say so', async () => {
    for (const id of ['a', 'b', 'c']) bench.activate({ id });
    const dispatcher = bench.dispatcher();
    for (const flow of ['a', 'b', 'c']) trigger(dispatcher, flow);
    await bench.settle();
    bench.settings.concurrency = 3;
    dispatcher.settingsChanged();
    await bench.settle();
    expect(bench.running.size).toBe(3);
  });

  it('runs one flow one after another, and others beside it', async () => {
    for (const id of ['a', 'b']) bench.activate({ id });
    const dispatcher = bench.dispatcher();
    const [first, second, other] = ['a', 'a', 'b'].map((flow) => queued(trigger(dispatcher, flow)));
    await bench.settle();
    expect([...bench.running.keys()]).toEqual([first, other]);
    bench.running.get(first as string)?.end(SUCCESS);
    await bench.settle();
    expect([...bench.running.keys()]).toEqual([other, second]);
  });

  it('knows a run id that it was given before', async () => {
    bench.activate({ id: 'a' });
    const dispatcher = bench.dispatcher();
    expect(trigger(dispatcher, 'a', { runId: 'r1' }).kind).toBe('queued');
    expect(trigger(dispatcher, 'a', { runId: 'r1' }).kind).toBe('known');
    expect(bench.dispatcher().submit({ flow: 'a', input: {}, trigger: 'local', runId: 'r1' }).kind).toBe(
      'known',
    );
  });

  it('hands on an input of null as it is, and none as an empty object', async () => {
    bench.activate({ id: 'a' });
    const dispatcher = bench.dispatcher();
    dispatcher.submit({ flow: 'a', runId: 'r1', input: null, trigger: 'command' });
    dispatcher.submit({ flow: 'a', runId: 'r2', input: undefined, trigger: 'command' });
    expect([bench.runs.get('r1')?.input, bench.runs.get('r2')?.input]).toEqual([null, {}]);
  });

  it('refuses an id under which a service keeps its files', () => {
    bench.activate({ id: 'web', runtime: 'service' });
    bench.activate({ id: 'a' });
    const dispatcher = bench.dispatcher();
    const ask = (runId: string) => dispatcher.submit({ flow: 'a', runId, input: {}, trigger: 'command' });
    expect(ask('service-web')).toMatchObject({
      kind: 'not_runnable',
      message: expect.stringContaining('the service web keeps its files'),
    });
    expect(ask('service-else').kind).toBe('queued');
  });

  it('refuses the 10,001st queued run', () => {
    bench.activate({ id: 'a' });
    const dispatcher = bench.dispatcher();
    bench.records.transaction(() => {
      for (let n = 0; n < 10_000; n += 1) trigger(dispatcher, 'a');
    });
    expect(trigger(dispatcher, 'a')).toMatchObject({
      kind: 'not_runnable',
      message: expect.stringContaining('at most 10000'),
    });
  });

  it('answers whoever asks for a result, long after the end too, and nobody who asks for a run that never was', async () => {
    bench.activate({ id: 'a' });
    const before = bench.dispatcher();
    const a = queued(trigger(before, 'a'));
    await bench.settle();
    bench.running.get(a)?.end({ exitCode: 4 });
    const report = await before.wait(a);
    const after = bench.dispatcher();
    expect(await after.wait(a)).toMatchObject({ ...report, stdout: 'kept' });
    await expect(after.wait('nothing')).rejects.toThrow('found "nothing"');
  });

  it('keeps no output that is large: it is read from disk for those who ask after the end', async () => {
    bench.activate({ id: 'a' });
    const dispatcher = bench.dispatcher();
    const a = queued(trigger(dispatcher, 'a'));
    await bench.settle();
    const atOnce = dispatcher.wait(a);
    const facts = {
      truncated: { stdout: 5, stderr: 0 },
      outputs: [{ name: 'invoice.pdf', size: 1, sha256: DIGEST.a }],
    };
    const stdout = new Uint8Array(100_000).fill(120);
    bench.running.get(a)?.end({ ...SUCCESS, ...facts, stdout });
    expect(await atOnce).toMatchObject({ ...facts, stdout: 'x'.repeat(100_000) });
    expect(await dispatcher.wait(a)).toMatchObject({ ...facts, status: 'succeeded', stdout: 'kept' });
  });

  it('records and reports a run that cannot be queued, once', () => {
    const dispatcher = bench.dispatcher();
    const request = {
      flow: 'gone',
      runId: 'r1',
      input: {},
      trigger: 'command',
      because: 'command c1',
    } as const;
    expect(dispatcher.reject(request, 'no such flow')).toEqual({ kind: 'rejected', runId: 'r1' });
    expect(dispatcher.reject(request, 'no such flow')).toEqual({ kind: 'known', runId: 'r1' });
    expect(bench.reports()).toMatchObject([
      { run_id: 'r1', status: 'failed', attempt: 0, reason: 'no such flow', trigger: 'command' },
    ]);
    expect(bench.events).toMatchObject([{ reason: 'RunFailed', because: 'command c1', run_id: 'r1' }]);
  });
});

describe('a lock', () => {
  it('is held by one run at a time, first come, first served, and holds up nobody else', async () => {
    bench.settings.concurrency = 5;
    for (const id of ['a', 'b', 'c']) bench.activate({ id, lock: 'desktop' });
    bench.activate({ id: 'free' });
    const dispatcher = bench.dispatcher();
    const [a, b, c, free] = ['a', 'b', 'c', 'free'].map((flow) => queued(trigger(dispatcher, flow)));
    await bench.settle();
    expect([...bench.running.keys()]).toEqual([a, free]);
    bench.running.get(a as string)?.end(SUCCESS);
    await bench.settle();
    expect([...bench.running.keys()]).toEqual([free, b]);
    bench.running.get(b as string)?.end(SUCCESS);
    await bench.settle();
    expect([...bench.running.keys()]).toEqual([free, c]);
  });

  it('that a newer version asks for counts for runs that were queued before', async () => {
    bench.settings.concurrency = 5;
    bench.activate({ id: 'a', lock: 'desktop' });
    bench.activate({ id: 'b' });
    const dispatcher = bench.dispatcher();
    const a = queued(trigger(dispatcher, 'a'));
    await bench.settle();
    const [b1, b2] = ['b', 'b'].map((flow) => queued(trigger(dispatcher, flow)));
    await bench.settle();
    bench.activate({ id: 'b', lock: 'desktop', version: 'v2', sha256: DIGEST.b });
    bench.running.get(b1 as string)?.end(SUCCESS);
    await bench.settle();
    expect([...bench.running.keys()]).toEqual([a]);
    bench.running.get(a)?.end(SUCCESS);
    await bench.settle();
    expect([...bench.running.keys()]).toEqual([b2]);
  });
});

describe('overlap', () => {
  it('skip: a trigger while a run has not ended comes to nothing, and whoever asked is told', async () => {
    bench.activate({ id: 'a', overlap: 'skip' });
    const dispatcher = bench.dispatcher();
    const first = queued(trigger(dispatcher, 'a'));
    const second = trigger(dispatcher, 'a', { runId: 'r2', trigger: 'command', because: 'command c2' });
    expect(second).toMatchObject({ kind: 'skipped', runId: 'r2' });
    expect(bench.reports()).toMatchObject([{ run_id: 'r2', status: 'cancelled', attempt: 0 }]);
    expect(bench.reasons('r2')).toEqual(['RunSkipped']);
    expect(await dispatcher.wait('r2')).toMatchObject({ status: 'cancelled' });
    await bench.settle();
    bench.running.get(first)?.end(SUCCESS);
    await bench.settle();
    expect(trigger(dispatcher, 'a').kind).toBe('queued');
  });

  it('skip: a schedule that comes to nothing is an event, and no run', () => {
    bench.activate({ id: 'a', overlap: 'skip' });
    const dispatcher = bench.dispatcher();
    trigger(dispatcher, 'a');
    expect(trigger(dispatcher, 'a', { runId: 'r2', trigger: 'schedule' }).kind).toBe('skipped');
    expect(bench.reports()).toEqual([]);
    expect(bench.runs.get('r2')).toBeNull();
    expect(bench.reasons()).toEqual(['RunQueued', 'RunSkipped']);
  });

  it('replace: what runs and what waits is cancelled, and the new one runs', async () => {
    bench.activate({ id: 'a', overlap: 'replace' });
    const dispatcher = bench.dispatcher();
    const first = queued(trigger(dispatcher, 'a'));
    await bench.settle();
    const second = queued(trigger(dispatcher, 'a'));
    const third = queued(trigger(dispatcher, 'a'));
    await bench.settle();
    expect([...bench.running.keys()]).toEqual([third]);
    expect(bench.reports()).toMatchObject([
      { run_id: second, status: 'cancelled', attempt: 0, reason: `replaced by run ${third}` },
      { run_id: first, status: 'cancelled', attempt: 1 },
    ]);
    expect(bench.reports()[1]?.reason).toContain(`replaced by run ${second}`);
    expect(bench.reasons(second)).toEqual(['RunQueued', 'RunSkipped']);
  });
});

describe('a run that waits and is cancelled', () => {
  it('ends once, however often it is cancelled', async () => {
    bench.settings.concurrency = 0;
    bench.activate({ id: 'a' });
    const dispatcher = bench.dispatcher();
    const a = queued(trigger(dispatcher, 'a'));
    expect(dispatcher.cancel(a)).toBe(true);
    const ended = bench.runs.get(a);
    await bench.clock.advance(60_000);
    expect(dispatcher.cancel(a)).toBe(false);
    expect(bench.runs.get(a)).toEqual(ended);
    expect(bench.reasons(a)).toEqual(['RunQueued', 'RunCancelled']);
    expect(bench.reports()).toMatchObject([{ run_id: a, status: 'cancelled', attempt: 0 }]);
  });

  it('ends once, however many replace it while the one before takes its time to end', async () => {
    bench.activate({ id: 'a', overlap: 'replace' });
    const slow: Executor = {
      ...bench.executor,
      start: async (...all) => ({ ...(await bench.executor.start(...all)), cancel() {} }),
    };
    const dispatcher = bench.dispatcher({ executors: new Map([['python', slow]]) });
    const [first, second, third, fourth] = [1, 2, 3, 4].map(() => queued(trigger(dispatcher, 'a')));
    await bench.settle();
    expect([first, second, third].map((id) => bench.runs.get(id as string)?.state)).toEqual([
      'cancelled',
      'cancelled',
      'cancelled',
    ]);
    expect(bench.reasons(second)).toEqual(['RunQueued', 'RunSkipped']);
    expect([...bench.running.keys()]).toEqual([fourth]);
    const fifth = queued(trigger(dispatcher, 'a'));
    const sixth = queued(trigger(dispatcher, 'a'));
    queued(trigger(dispatcher, 'a'));
    expect([fifth, sixth].map((id) => bench.reasons(id))).toEqual([
      ['RunQueued', 'RunSkipped'],
      ['RunQueued', 'RunSkipped'],
    ]);
    expect(dispatcher.counts()).toEqual({ running: 1, queued: 1 });
  });

  it('is out of the queue at once: it counts no more, and a trigger is not skipped because of it', async () => {
    bench.settings.concurrency = 1;
    bench.activate({ id: 'a' });
    bench.activate({ id: 'b', overlap: 'skip' });
    const dispatcher = bench.dispatcher();
    trigger(dispatcher, 'a');
    await bench.settle();
    dispatcher.cancel(queued(trigger(dispatcher, 'b')));
    expect(dispatcher.counts()).toEqual({ running: 1, queued: 0 });
    expect(trigger(dispatcher, 'b').kind).toBe('queued');
  });

  it('for a slot for its next attempt is reported with what the last one printed', async () => {
    bench.settings.concurrency = 1;
    bench.activate({ id: 'a', retries: 1 });
    bench.activate({ id: 'b' });
    const dispatcher = bench.dispatcher();
    const a = queued(trigger(dispatcher, 'a'));
    const b = queued(trigger(dispatcher, 'b'));
    await bench.settle();
    bench.running.get(a)?.end();
    await bench.settle();
    await bench.clock.advance(2_000);
    await bench.settle();
    expect([...bench.running.keys()]).toEqual([b]);
    expect([dispatcher.cancel(a), dispatcher.counts().queued]).toEqual([true, 0]);
    expect(await dispatcher.wait(a)).toMatchObject({
      status: 'cancelled',
      attempt: 1,
      stdout: 'kept',
      reason: 'cancelled while it waited for attempt 2',
    });
    expect(dispatcher.cancel(a)).toBe(false);
    expect(bench.reasons(a).at(-1)).toBe('RunCancelled');
  });
});

describe('retries', () => {
  it('wait a little longer after every attempt, hold neither slot nor lock, and one report follows the last', async () => {
    bench.settings.concurrency = 1;
    bench.activate({ id: 'a', retries: 2, lock: 'desktop' });
    bench.activate({ id: 'b', lock: 'desktop' });
    const dispatcher = bench.dispatcher();
    const a = queued(trigger(dispatcher, 'a'));
    const b = queued(trigger(dispatcher, 'b'));
    await bench.settle();
    bench.running.get(a)?.end();
    await bench.settle();
    expect(bench.runs.get(a)).toMatchObject({
      state: 'queued',
      attempt: 1,
      reason: expect.stringContaining('attempt 1 of 3'),
    });
    expect([...bench.running.keys()]).toEqual([b]);
    bench.running.get(b)?.end(SUCCESS);
    await bench.clock.advance(1_300);
    await bench.settle();
    bench.running.get(a)?.end();
    await bench.settle();
    await bench.clock.advance(1_300);
    await bench.settle();
    expect(bench.running.size).toBe(0);
    await bench.clock.advance(1_300);
    await bench.settle();
    bench.running.get(a)?.end(SUCCESS);
    await bench.settle();
    expect(bench.reports().filter((report) => report.run_id === a)).toMatchObject([
      { status: 'succeeded', attempt: 3 },
    ]);
    expect(bench.started.filter((run) => run.run_id === a).map((run) => run.attempt)).toEqual([1, 2, 3]);
    expect(bench.reasons(a)).toEqual([
      'RunQueued',
      'RunStarted',
      'RunRetrying',
      'RunStarted',
      'RunRetrying',
      'RunStarted',
      'RunSucceeded',
    ]);
  });

  it('stay with the version and the trace of the first attempt', async () => {
    bench.activate({ id: 'a', retries: 1 });
    const dispatcher = bench.dispatcher();
    const a = queued(trigger(dispatcher, 'a'));
    await bench.settle();
    const first = bench.running.get(a)?.request;
    bench.running.get(a)?.end();
    bench.activate({ id: 'a', version: 'v2', sha256: DIGEST.b });
    await bench.settle();
    await bench.clock.advance(2_000);
    await bench.settle();
    expect(bench.running.get(a)?.request).toMatchObject({
      version: 'v1.0.7',
      attempt: 2,
      traceparent: first?.traceparent,
    });
  });

  it('are given up by a cancel, with what the last attempt printed', async () => {
    bench.activate({ id: 'a', retries: 5 });
    const dispatcher = bench.dispatcher();
    const a = queued(trigger(dispatcher, 'a'));
    await bench.settle();
    bench.running.get(a)?.end();
    await bench.settle();
    expect(dispatcher.cancel(a)).toBe(true);
    expect(await dispatcher.wait(a)).toMatchObject({ status: 'cancelled', attempt: 1, stdout: 'kept' });
    expect(dispatcher.cancel(a)).toBe(false);
    await bench.clock.advance(120_000);
    await bench.settle();
    expect(bench.running.size).toBe(0);
    expect(bench.reports()).toHaveLength(1);
  });

  it('are waited for no longer when the agent ends, and taken up at the next start', async () => {
    bench.activate({ id: 'a', retries: 1 });
    const before = bench.dispatcher();
    const a = queued(trigger(before, 'a'));
    const later = queued(trigger(before, 'a'));
    await bench.settle();
    bench.running.get(a)?.end();
    await bench.settle();
    await before.drain();
    expect(bench.runs.get(a)).toMatchObject({ state: 'queued', attempt: 1 });
    const after = bench.dispatcher();
    expect(await after.recover({ resume: true })).toEqual([]);
    await bench.settle();
    expect(bench.running.size).toBe(0);
    await bench.clock.advance(2_000);
    await bench.settle();
    expect(bench.running.get(a)?.request.attempt).toBe(2);
    bench.running.get(a)?.end(SUCCESS);
    await bench.settle();
    expect([...bench.running.keys()]).toEqual([later]);
    expect(bench.reports()).toMatchObject([{ run_id: a, status: 'succeeded', attempt: 2 }]);
  });
});

describe('a drain', () => {
  it('waits for what runs and starts nothing more', async () => {
    bench.activate({ id: 'a', retries: 1 });
    const dispatcher = bench.dispatcher();
    const a = queued(trigger(dispatcher, 'a'));
    await bench.settle();
    const draining = dispatcher.drain();
    const b = queued(trigger(dispatcher, 'a'));
    await bench.settle();
    const early = await Promise.race([draining.then(() => 'drained'), Promise.resolve('waiting')]);
    expect(early).toBe('waiting');
    bench.running.get(a)?.end();
    await draining;
    await bench.settle();
    expect(bench.runs.get(a)).toMatchObject({ state: 'queued', attempt: 1 });
    expect(bench.runs.get(b)).toMatchObject({ state: 'queued', attempt: 0 });
  });
});

describe('a version that was named', () => {
  it('is held from the queue on: it runs although it is neither active nor previous any more', async () => {
    bench.settings.concurrency = 0;
    bench.activate({ id: 'a', version: 'v2', sha256: DIGEST.b }, { version: 'v1', sha256: DIGEST.a });
    const dispatcher = bench.dispatcher();
    const a = queued(trigger(dispatcher, 'a', { version: 'v1' }));
    expect(bench.runs.get(a)?.path).toBe('flows/a/v1');
    bench.activate({ id: 'a', version: 'v4', sha256: DIGEST.b }, { version: 'v3', sha256: DIGEST.c });
    bench.settings.concurrency = 1;
    dispatcher.settingsChanged();
    await bench.settle();
    expect(bench.running.get(a)?.request.version).toBe('v1');
    bench.running.get(a)?.end(SUCCESS);
    await bench.settle();
    expect(bench.reports()).toMatchObject([
      { version: 'v1', sha256: DIGEST.a, revision: 'tenant/acme@sha1:0' },
    ]);
  });
});

describe('after a crash', () => {
  it('says what was ended, reports what ran as lost, and takes up what was queued', async () => {
    bench.activate({ id: 'a', retries: 3 });
    const before = bench.dispatcher();
    const a = queued(trigger(before, 'a'));
    const b = queued(trigger(before, 'a'));
    await bench.settle();
    const after = bench.dispatcher({ endOrphans: () => Promise.resolve({ ended: 2, left: 0 }) });
    expect(await after.recover({ resume: true })).toEqual([a]);
    await bench.settle();
    expect(bench.reports()).toMatchObject([{ run_id: a, status: 'lost', stdout: 'kept' }]);
    expect(bench.reasons(a)).toEqual(['RunQueued', 'RunStarted', 'OrphansEnded', 'RunLost']);
    expect([...bench.running.keys()]).toContain(b);
  });
});
