import { afterEach, beforeEach, expect, it } from 'vitest';
import { followPointer } from '../../agent/follow-pointer.ts';
import type { VersionStore } from '../../reconciler/ports.ts';
import { runVersion } from '../../reconciler/run-version.ts';
import { applyChanges } from '../../store/pointer.ts';
import { createDispatcherBench, type DispatcherBench } from '../reconciler/dispatching.ts';
import { DIGEST } from '../reconciler/fixtures.ts';

let bench: DispatcherBench;
beforeEach(() => {
  bench = createDispatcherBench();
});
afterEach(() => bench.dispose());

it('settings follow a pointer that went back while the database could not be written, and stay then', async () => {
  bench.activate({ id: 'a', version: 'v2', sha256: DIGEST.b }, { version: 'v1', sha256: DIGEST.a });
  const previous = bench.current.flows['a']?.previous;
  if (previous == null) throw new Error('expected a previous version, found none');
  const back = { ...previous, revision: bench.current.flows['a']?.revision ?? '', held: null };
  bench.current = applyChanges(bench.current, [{ flow: 'a', to: back }], null, bench.clock);
  const store = { current: () => bench.current } as VersionStore;
  expect(runVersion({ store, records: bench.records }, 'a', undefined)).toContain('those of v2');
  expect(await followPointer(bench.records, store, bench.clock.now())).toEqual(['a']);
  expect(runVersion({ store, records: bench.records }, 'a', undefined)).toMatchObject({
    version: 'v1',
    settings: { spec: { version: 'v1' } },
  });
  expect(await followPointer(bench.records, store, bench.clock.now())).toEqual([]);
});
