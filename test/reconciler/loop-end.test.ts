import { expect, it } from 'vitest';
import { createReconcileLoop } from '../../reconciler/loop.ts';
import type { ReconcileResult } from '../../reconciler/reconcile.ts';
import { createManualClock } from '../../system/clock.ts';
import { NOW } from './fixtures.ts';

it('a reconcile that is asked for when the loop has ended is refused at once, and one that waits with it', async () => {
  const underWay = Promise.withResolvers<void>();
  const loop = createReconcileLoop({
    clock: createManualClock(NOW),
    async reconcile() {
      await underWay.promise;
      return { wakeInMs: 60_000 } as ReconcileResult;
    },
    peek: () => Promise.resolve(null),
    underWay: () => null,
    intervalMs: () => 60_000,
    onPreempted() {},
    onCrash(error) {
      throw error;
    },
  });
  const ending = new AbortController();
  const done = loop.run(ending.signal);
  const waiting = loop.reconcileNow({ explicit: true, force: false }).catch((error: unknown) => error);
  ending.abort(new Error('the agent ends'));
  underWay.resolve();
  await done;
  expect(await waiting).toEqual(new Error('the agent ends'));
  await expect(loop.reconcileNow({ explicit: true, force: false })).rejects.toThrow('the agent ends');
});
