import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Dispatcher, DispatcherDeps } from '../../reconciler/dispatcher.ts';
import type { RunResult } from '../../reconciler/ports.ts';
import { applyChanges } from '../../store/pointer.ts';
import { createDispatcherBench, type DispatcherBench, queued } from './dispatching.ts';
import { DIGEST } from './fixtures.ts';

let bench: DispatcherBench;
let on: boolean;
let nudges: number;
beforeEach(() => {
  bench = createDispatcherBench();
  on = true;
  nudges = 0;
});
afterEach(() => bench.dispose());

const SUCCESS = { status: 'succeeded', exitCode: 0, reason: null } as const;
const OLD = { version: 'v1', sha256: DIGEST.a };
const FRESH = { id: 'a', version: 'v2', sha256: DIGEST.b };

const rollBack: DispatcherDeps['rollBack'] = {
  isOn: () => on,
  exclusive: (work) => work(),
  onDone: () => {
    nudges += 1;
  },
  store: {
    current: () => bench.current,
    point(changes, seq, alongside) {
      bench.current = applyChanges(bench.current, changes, seq, bench.clock);
      bench.records.transaction(() => alongside?.());
      return Promise.resolve(bench.current);
    },
  },
};

async function run(dispatcher: Dispatcher, result: Partial<RunResult>): Promise<void> {
  await bench.clock.advance(1_000);
  const id = queued(dispatcher.submit({ flow: 'a', input: {}, trigger: 'local' }));
  await bench.settle();
  bench.running.get(id)?.end(result);
  await bench.settle();
}

const active = () => bench.current.flows['a']?.version;

describe('runs.rollback_on: runs', () => {
  it('puts the previous version back after three failing runs of a fresh one, and quarantines its digest', async () => {
    bench.activate(FRESH, OLD);
    const dispatcher = bench.dispatcher({ rollBack });
    await run(dispatcher, {});
    await run(dispatcher, { status: 'timed_out', exitCode: null, reason: 'timed out after 1m' });
    expect(active()).toBe('v2');
    await run(dispatcher, { reason: 'exit code 3', exitCode: 3 });
    expect(active()).toBe('v1');
    expect(bench.records.flow('a')?.active?.spec.version).toBe('v1');
    expect(bench.records.quarantines().get(DIGEST.b)?.message).toContain('3 runs in a row failed');
    expect(bench.reasons().at(-1)).toBe('RolledBack');
    expect(nudges).toBe(1);
    await run(dispatcher, SUCCESS);
    expect(bench.reports().at(-1)).toMatchObject({ version: 'v1', status: 'succeeded' });
  });

  it('counts neither what was cancelled nor what was lost', async () => {
    bench.activate(FRESH, OLD);
    const dispatcher = bench.dispatcher({ rollBack });
    await run(dispatcher, {});
    await run(dispatcher, {});
    await run(dispatcher, { status: 'cancelled', reason: 'cancelled' });
    queued(dispatcher.submit({ flow: 'a', input: {}, trigger: 'local' }));
    await bench.settle();
    await bench.dispatcher({ rollBack }).recover({ resume: true });
    expect(active()).toBe('v2');
  });

  it('begins to count anew after a success, and lets a version be that has succeeded', async () => {
    bench.activate(FRESH, OLD);
    const dispatcher = bench.dispatcher({ rollBack });
    await run(dispatcher, {});
    await run(dispatcher, {});
    await run(dispatcher, SUCCESS);
    for (let n = 0; n < 4; n += 1) await run(dispatcher, {});
    expect(active()).toBe('v2');
  });

  it('counts across restarts, and makes up for a roll-back that a crash prevented', async () => {
    bench.activate(FRESH, OLD);
    await run(bench.dispatcher({ rollBack }), {});
    await run(bench.dispatcher({ rollBack }), {});
    await run(bench.dispatcher({ rollBack: { ...rollBack, exclusive: () => new Promise(() => {}) } }), {});
    expect(active()).toBe('v2');
    await bench.dispatcher({ rollBack }).recover({ resume: true });
    await bench.settle();
    expect(active()).toBe('v1');
  });

  it('leaves the only version active, and says that it is unhealthy until a run succeeds', async () => {
    bench.activate(FRESH);
    const dispatcher = bench.dispatcher({ rollBack });
    for (let n = 0; n < 4; n += 1) await run(dispatcher, {});
    expect(active()).toBe('v2');
    expect(bench.records.flow('a')?.health).toBe('unhealthy');
    expect(bench.records.quarantines().size).toBe(0);
    expect(bench.reasons().filter((reason) => reason === 'HealthFailed')).toHaveLength(1);
    await run(dispatcher, SUCCESS);
    expect(bench.records.flow('a')?.health).toBe('healthy');
  });

  it('does not go from one bad version back to another', async () => {
    bench.activate(FRESH, OLD);
    const dispatcher = bench.dispatcher({ rollBack });
    for (let n = 0; n < 7; n += 1) await run(dispatcher, {});
    expect(active()).toBe('v1');
  });

  it('does nothing while it is not asked for', async () => {
    on = false;
    bench.activate(FRESH, OLD);
    const dispatcher = bench.dispatcher({ rollBack });
    for (let n = 0; n < 4; n += 1) await run(dispatcher, {});
    expect(active()).toBe('v2');
    expect(bench.records.flow('a')?.health).toBe('healthy');
  });

  it('leaves a version alone that a person put back', async () => {
    bench.activate(FRESH, OLD);
    const flow = bench.current.flows['a'];
    if (flow === undefined) throw new Error('expected the flow to be active');
    bench.current = { ...bench.current, flows: { a: { ...flow, held: { by: 'ana', why: 'v3 is wrong' } } } };
    const dispatcher = bench.dispatcher({ rollBack });
    for (let n = 0; n < 4; n += 1) await run(dispatcher, {});
    expect(active()).toBe('v2');
  });
});
