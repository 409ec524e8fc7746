import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createExclusive } from '../../agent/exclusive.ts';
import { createLocalOperations, type LocalParts } from '../../agent/local-operations.ts';
import type { VersionStore } from '../../reconciler/ports.ts';
import { rollBack } from '../../reconciler/roll-back.ts';
import type { EventDraft } from '../../schemas/event.ts';
import { applyChanges, applyHeld } from '../../store/pointer.ts';
import { createDispatcherBench, type DispatcherBench } from '../reconciler/dispatching.ts';
import { DIGEST, flowSpec, flowState, REVISION } from '../reconciler/fixtures.ts';

let bench: DispatcherBench;
let events: EventDraft[];
/** Says that the deep check of the previous version is under way, and lets it end. */
let checking: PromiseWithResolvers<void>;
let checked: PromiseWithResolvers<void>;
beforeEach(() => {
  bench = createDispatcherBench();
  events = [];
  [status, result] = [{ flows: [] }, { setbacks: [], actions: [], exitCode: 0 }];
  [checking, checked] = [Promise.withResolvers(), Promise.withResolvers()];
  bench.activate({ id: 'a', version: 'v2', sha256: DIGEST.b }, { version: 'v1', sha256: DIGEST.a });
});
afterEach(() => bench.dispose());

let status: { flows: object[] };
let result: { setbacks: object[]; actions: object[]; exitCode: number };

const { signal } = new AbortController();
const reports = { run() {}, statusChanged() {} };

function parts() {
  const exclusive = createExclusive();
  const pointer: Pick<VersionStore, 'current' | 'point' | 'setHeld'> = {
    current: () => bench.current,
    point(changes, seq, alongside) {
      bench.current = applyChanges(bench.current, changes, seq, bench.clock);
      bench.records.transaction(() => alongside?.());
      return Promise.resolve(bench.current);
    },
    setHeld(flow, held) {
      bench.current = applyHeld(bench.current, flow, held);
      return Promise.resolve(bench.current);
    },
  };
  const store = {
    ...pointer,
    record: () => Promise.resolve({}),
    async check() {
      checking.resolve();
      await checked.promise;
      return { kind: 'intact' };
    },
  } as unknown as VersionStore;
  const operations = createLocalOperations({
    records: bench.records,
    store,
    runs: bench.runs,
    events: { emit: (event: EventDraft) => void events.push(event) },
    reports,
    now: () => bench.clock.now(),
    status: () => Promise.resolve(status),
    reconcile: () => Promise.resolve(result),
    retryReports: () => 2,
    nudge() {},
    exclusive,
  } as unknown as LocalParts);
  return { exclusive, store, operations };
}

/** What is active by the pointer and by the records, which must not differ. */
const active = () => ({
  pointer: bench.current.flows['a']?.version,
  records: bench.records.flow('a')?.active?.spec.version,
});

describe('a roll-back by hand', () => {
  it('points back and takes the settings of the version with it', async () => {
    const { operations } = parts();
    checked.resolve();
    await operations.rollback({ flow: 'a', by: 'ann', why: 'totals' }, signal);
    expect(active()).toEqual({ pointer: 'v1', records: 'v1' });
    expect(bench.current.flows['a']?.held).toEqual({ by: 'ann', why: 'totals' });
    expect(events).toMatchObject([{ reason: 'RolledBack', because: 'totals' }]);
  });

  it('changes nothing when failing runs have rolled the flow back during the check', async () => {
    const { exclusive, store, operations } = parts();
    const asked = operations.rollback({ flow: 'a', by: 'ann', why: 'totals' }, signal);
    await checking.promise;
    const bad = {
      flow: 'a',
      version: 'v2',
      sha256: DIGEST.b,
      revision: REVISION,
      did: 'failed',
      why: 'runs',
    };
    const options = { now: bench.clock.now(), seq: null, withoutPrevious: 'keep' } as const;
    const deps = { store, records: bench.records, events: { emit() {} }, reports };
    await exclusive(() => rollBack(deps, bad, options));
    checked.resolve();
    await expect(asked).rejects.toThrow('expected v2 to be active until v1 was checked, found that v1');
    expect(active()).toEqual({ pointer: 'v1', records: 'v1' });
    expect(bench.current.flows['a']?.held).toBe(null);
  });

  it('never goes back over a version that was activated during the check', async () => {
    const { exclusive, store, operations } = parts();
    const asked = operations.rollback({ flow: 'a', by: 'ann', why: 'totals' }, signal);
    await checking.promise;
    const reconciled = exclusive(async () => {
      await new Promise((resolve) => setImmediate(resolve));
      const spec = flowSpec({ id: 'a', version: 'v3', sha256: DIGEST.c });
      const to = { version: 'v3', sha256: DIGEST.c, path: 'flows/a/v3', revision: REVISION, held: null };
      await store.point([{ flow: 'a', to }], null, () => {
        const state = bench.records.flow('a');
        if (state === null) throw new Error('expected the state of flow a, found none');
        const next = { active: { spec, entrypoint: 'main.py', revision: REVISION }, previous: state.active };
        bench.records.saveFlow('a', { ...state, ...next });
      });
    });
    // the reconcile is under way when the check ends
    checked.resolve();
    await expect(asked).rejects.toThrow('found that v3 took its place');
    await reconciled;
    expect(active()).toEqual({ pointer: 'v3', records: 'v3' });
    expect(events).toEqual([]);
  });
});

describe('resume', () => {
  it('lifts the suspension and lets go what is held then, though a held flow leaves meanwhile', async () => {
    const { exclusive, store, operations } = parts();
    bench.activate({ id: 'b', version: 'v2', sha256: DIGEST.c });
    for (const flow of ['a', 'b']) await store.setHeld(flow, { by: 'ann', why: 'totals' });
    bench.records.saveSuspension({ by: 'ann', why: 'audit', until: null });
    const reconciled = exclusive(async () => {
      await new Promise((resolve) => setImmediate(resolve));
      await store.point([{ flow: 'a', to: null }], null);
    });
    await operations.resume({ by: 'bob' }, signal);
    await reconciled;
    expect(bench.records.suspension(bench.clock.now())).toBe(null);
    expect(bench.current.flows['b']?.held).toBe(null);
    expect(events.map(({ reason, flow }) => ({ reason, flow }))).toEqual([
      { reason: 'Resumed', flow: undefined },
      { reason: 'HoldReleased', flow: 'b' },
    ]);
  });
});

describe('retry', () => {
  it('answers what it let go: quarantines, flows that waited, and refused reports', async () => {
    const { operations } = parts();
    const setback = { kind: 'stalled', code: 'quarantined', message: 'no' } as const;
    const { sha256 } = flowSpec({ sha256: DIGEST.b });
    for (const id of ['b', 'c']) {
      const spec = flowSpec({ id, sha256: id === 'b' ? sha256 : DIGEST.c });
      bench.records.saveFlow(id, flowState(spec, { setback }));
    }
    const at = bench.clock.now().toISOString();
    const quarantine = { cause: 'health', flow: 'a', revision: REVISION, message: 'bad', at } as const;
    bench.records.saveQuarantine(sha256, quarantine);
    const all = await operations.retry({ flow: null }, signal);
    expect(all.released).toEqual({ quarantined: ['a', 'b'], waiting: ['c'], reports: 2 });
    const nothing = await operations.retry({ flow: 'c' }, signal);
    expect(nothing.released).toEqual({ quarantined: [], waiting: [], reports: 0 });
  });
});

describe('reconcile', () => {
  it('answers which flow is unhealthy and why when it ends with 4 and nothing is in its way', async () => {
    const { operations } = parts();
    result.exitCode = 4;
    const service = { message: 'v1 did not answer' };
    status.flows = [
      { id: 'a', health: 'healthy', service: null },
      { id: 'web', health: 'unhealthy', service },
    ];
    const { problems } = await operations.reconcile({ force: false }, signal);
    const message = 'flow web is unhealthy: v1 did not answer';
    expect(problems).toEqual([{ kind: 'unhealthy', code: 'unhealthy', message }]);
  });
});
