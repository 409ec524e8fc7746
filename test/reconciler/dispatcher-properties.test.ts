import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Dispatcher } from '../../reconciler/dispatcher.ts';
import { createDispatcherBench, type DispatcherBench } from './dispatching.ts';

const FLOWS = [
  { id: 'plain', retries: 1 },
  { id: 'desk-a', lock: 'desktop' },
  { id: 'desk-b', lock: 'desktop', retries: 2 },
  { id: 'skipping', overlap: 'skip' },
  { id: 'replacing', overlap: 'replace', retries: 1 },
] as const;
const ENDS = [
  { status: 'succeeded', exitCode: 0, reason: null },
  { status: 'failed', exitCode: 1, reason: 'exit code 1' },
  { status: 'timed_out', exitCode: null, reason: 'timed out' },
] as const;
const ENDED = new Set(['RunSucceeded', 'RunFailed', 'RunTimedOut', 'RunCancelled', 'RunSkipped', 'RunLost']);
const CONCURRENCY = 3;

type Step =
  | { readonly do: 'trigger'; readonly flow: number }
  | { readonly do: 'end'; readonly which: number; readonly how: number }
  | { readonly do: 'cancel'; readonly which: number }
  | { readonly do: 'wait'; readonly ms: number }
  | { readonly do: 'disk'; readonly full: boolean }
  | { readonly do: 'crash' | 'restart' };

const which = fc.nat(30);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constant('trigger' as const), flow: fc.nat(FLOWS.length - 1) }),
  },
  {
    weight: 5,
    arbitrary: fc.record({ do: fc.constant('end' as const), which, how: fc.nat(ENDS.length - 1) }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('cancel' as const), which }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.nat(3_000) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('disk' as const), full: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('crash' as const, 'restart' as const) }) },
);
/** A step, and how many turns of the event loop it gets before the next one. */
const steps = fc.array(fc.tuple(step, fc.nat(4)), { minLength: 5, maxLength: 40 });

/** A life of the agent that does nothing more, to nothing, once it is killed: not even what it had begun. */
function begin(bench: DispatcherBench): { dispatcher: Dispatcher; kill: () => void } {
  let dead = false;
  const alive = () => {
    if (dead) throw new Error('this life of the agent has ended');
  };
  const guarded = <T extends object>(object: T): T =>
    new Proxy(object, {
      get(target, key) {
        const value: unknown = Reflect.get(target, key);
        if (typeof value !== 'function') return value;
        return (...args: unknown[]): unknown => {
          alive();
          return Reflect.apply(value, target, args);
        };
      },
    });
  const dispatcher = bench.dispatcher({
    runs: guarded(bench.runs),
    records: guarded(bench.records),
    executors: new Map([['python', guarded(bench.executor)]]),
    onFault(error) {
      if (!dead && !String(error).includes('disk is full')) throw error;
    },
  });
  return {
    dispatcher,
    kill() {
      dead = true;
      bench.running.clear();
    },
  };
}

function expectOrder(bench: DispatcherBench): void {
  const running = [...bench.running.values()].map((attempt) => attempt.request.spec);
  expect(running.length).toBeLessThanOrEqual(CONCURRENCY);
  const flows = running.map((spec) => spec.id);
  expect(new Set(flows).size).toBe(flows.length);
  expect(running.filter((spec) => spec.lock === 'desktop').length).toBeLessThanOrEqual(1);
}

/** Whoever asks hears of a full disk. */
function unlessFull(bench: DispatcherBench, work: () => void): void {
  try {
    work();
  } catch (error) {
    if (!bench.disk.full) throw error;
  }
}

describe('whatever is triggered, cancelled, restarted and crashed, with and without room on the disk, in whatever order', () => {
  it('no run is lost or done twice, every one is reported once, and locks and flows are kept apart', async () => {
    const property = fc.asyncProperty(steps, async (plan) => {
      const bench = createDispatcherBench();
      try {
        bench.settings.concurrency = CONCURRENCY;
        for (const flow of FLOWS) bench.activate(flow);
        const owed: string[] = [];
        /** By flow: what came to nothing, and is asked for again. */
        const inVain = new Map<string, string>();
        let life = begin(bench);
        let asked = 0;
        for (const [one, turns] of plan) {
          if (one.do === 'trigger') {
            const flow = FLOWS[one.flow]?.id as string;
            const runId = inVain.get(flow) ?? `r${(asked += 1)}`;
            const submit = () => life.dispatcher.submit({ flow, runId, input: {}, trigger: 'command' });
            inVain.set(flow, runId);
            unlessFull(bench, () => {
              const { kind } = bench.records.transaction(submit);
              inVain.delete(flow);
              if (kind === 'queued' || kind === 'skipped') owed.push(runId);
            });
          } else if (one.do === 'end') {
            const attempts = [...bench.running.values()];
            attempts[one.which % Math.max(1, attempts.length)]?.end(ENDS[one.how]);
          } else if (one.do === 'cancel') {
            const id = owed[one.which % Math.max(1, owed.length)];
            if (id !== undefined) unlessFull(bench, () => life.dispatcher.cancel(id));
          } else if (one.do === 'wait') {
            await bench.clock.advance(one.ms);
          } else if (one.do === 'disk') {
            bench.disk.full = one.full;
          } else if (one.do === 'crash') {
            life.kill();
            bench.disk.full = false;
            life = begin(bench);
            await life.dispatcher.recover({ resume: true });
          } else {
            const drained = life.dispatcher.drain();
            await bench.settle();
            for (const attempt of bench.running.values()) attempt.end(ENDS[1]);
            await drained;
            life.kill();
            bench.disk.full = false;
            life = begin(bench);
            await life.dispatcher.recover({ resume: true });
          }
          for (let turn = 0; turn < turns; turn += 1) await new Promise((resolve) => setImmediate(resolve));
          expectOrder(bench);
        }
        bench.disk.full = false;
        for (
          let round = 0;
          life.dispatcher.counts().queued + life.dispatcher.counts().running > 0;
          round += 1
        ) {
          expect(round).toBeLessThan(500);
          await bench.settle();
          expectOrder(bench);
          for (const attempt of bench.running.values()) attempt.end(ENDS[round % 2]);
          await bench.clock.advance(2_000);
        }
        const reported = bench.reports().map((report) => report.run_id);
        expect(reported.toSorted()).toEqual(owed.toSorted());
        expect([...inVain.values()].flatMap((id) => bench.reasons(id))).toEqual([]);
        const attempts = bench.started.map(({ run_id, attempt }) => `${run_id}.${attempt}`);
        expect(new Set(attempts).size).toBe(attempts.length);
        for (const id of owed) {
          const reasons = bench.reasons(id);
          expect(reasons.filter((reason) => ENDED.has(reason))).toEqual([reasons.at(-1)]);
          expect(reasons.filter((reason) => reason === 'RunQueued').length).toBeLessThanOrEqual(1);
        }
      } finally {
        bench.dispose();
      }
    });
    await fc.assert(property, { numRuns: 150 });
  }, 360_000);
});
