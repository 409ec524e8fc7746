import { describe, expect, test } from 'vitest';
import type { ReportSink } from '../../reconciler/ports.ts';
import type { RunReport } from '../../schemas/run.ts';
import { someReport } from '../support/reporting.ts';

/** A sink with its receiving end, for the contract suite. */
export interface ReportSinkHarness {
  readonly sink: ReportSink;
  /** Run reports the receiver has taken, in the order they came, repetitions included. */
  received(): RunReport[];
  /** Status reports the receiver has taken. */
  statuses(): number;
  /** Whether the receiver answers. */
  setReachable(reachable: boolean): void;
  /** Tries what is due, and what failed before too. */
  deliver(): Promise<void>;
  /** Ends the sink without a last word and opens it again on the same state. */
  reopen(): Promise<ReportSinkHarness>;
  close(): Promise<void>;
}

/** What every ReportSink keeps to (reconciler/ports.ts; contract, section 7). */
export function reportSinkContract(name: string, open: () => Promise<ReportSinkHarness>): void {
  describe(`${name} as a report sink`, () => {
    const using = async (body: (harness: ReportSinkHarness) => Promise<ReportSinkHarness | void>) => {
      const harness = await open();
      const last = (await body(harness)) ?? harness;
      await last.close();
    };

    test('delivers the report of a run whole and once', () =>
      using(async (harness) => {
        const report = someReport('run-1', {
          stdout: 'é\u0000\n"',
          outputs: [{ name: 'a.txt', size: 1, sha256: 'b'.repeat(64) }],
        });
        harness.sink.run(report);
        await harness.deliver();
        await harness.deliver();
        expect(harness.received()).toEqual([report]);
      }));

    test('delivers reports in the order the runs ended', () =>
      using(async (harness) => {
        for (let n = 0; n < 20; n += 1) harness.sink.run(someReport(`run-${n}`));
        await harness.deliver();
        expect(harness.received().map((report) => report.run_id)).toEqual(
          Array.from({ length: 20 }, (_, n) => `run-${n}`),
        );
      }));

    test('takes the same report twice as one', () =>
      using(async (harness) => {
        harness.sink.run(someReport('run-1'));
        harness.sink.run(someReport('run-1'));
        await harness.deliver();
        expect(harness.received()).toHaveLength(1);
      }));

    test('returns at once and loses nothing while the receiver is away', () =>
      using(async (harness) => {
        harness.setReachable(false);
        const started = performance.now();
        for (let n = 0; n < 5; n += 1) harness.sink.run(someReport(`run-${n}`));
        harness.sink.statusChanged();
        expect(performance.now() - started).toBeLessThan(1_000);
        await harness.deliver();
        expect(harness.received()).toEqual([]);
        harness.setReachable(true);
        await harness.deliver();
        expect(harness.received().map((report) => report.run_id)).toEqual([
          'run-0',
          'run-1',
          'run-2',
          'run-3',
          'run-4',
        ]);
      }));

    test('keeps reports over a restart', () =>
      using(async (harness) => {
        harness.setReachable(false);
        harness.sink.run(someReport('run-1'));
        await harness.deliver();
        const again = await harness.reopen();
        again.setReachable(true);
        await again.deliver();
        expect(again.received().map((report) => report.run_id)).toEqual(['run-1']);
        return again;
      }));

    test('sends the newest status only', () =>
      using(async (harness) => {
        harness.setReachable(false);
        for (let n = 0; n < 10; n += 1) harness.sink.statusChanged();
        harness.setReachable(true);
        await harness.deliver();
        expect(harness.statuses()).toBe(1);
      }));
  });
}
