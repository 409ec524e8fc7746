import { describe, expect, it } from 'vitest';
import { createRememberedReports } from '../../reconciler/remembered-reports.ts';
import type { RunReport } from '../../schemas/run.ts';
import { DIGEST, NOW } from './fixtures.ts';

function report(run_id: string, change: Partial<RunReport> = {}): RunReport {
  return {
    run_id,
    stdout: 'hello',
    stderr: '',
    status: 'succeeded',
    attempt: 1,
    flow: 'a',
    version: 'v1',
    sha256: DIGEST.a,
    revision: null,
    trigger: 'local',
    exit_code: 0,
    reason: null,
    started_at: NOW.toISOString(),
    finished_at: NOW.toISOString(),
    truncated: { stdout: 0, stderr: 0 },
    outputs: [],
    ...change,
  };
}

const files = (count: number) =>
  Array.from({ length: count }, (_, n) => ({ name: `${n}.pdf`, size: 1, sha256: DIGEST.b }));

describe('the reports that are kept in memory', () => {
  it('are whole while their output is short, and without it when it is long', () => {
    const reports = createRememberedReports();
    reports.add(report('short'));
    reports.add(report('long', { stderr: 'x'.repeat(40_000), outputs: files(2) }));
    expect(reports.get('short')).toEqual({ text: true, report: report('short') });
    expect(reports.get('long')).toEqual({
      text: false,
      report: report('long', { stdout: '', stderr: '', outputs: files(2) }),
    });
    expect(reports.get('never')).toBeNull();
  });

  it('are the last hundred', () => {
    const reports = createRememberedReports();
    for (let n = 0; n <= 100; n += 1) reports.add(report(`r${n}`));
    expect([reports.get('r0'), reports.get('r1')?.text]).toEqual([null, true]);
  });

  it('are fewer when they list many files, and never less than the last', () => {
    const reports = createRememberedReports();
    for (const id of ['a', 'b', 'c']) reports.add(report(id, { outputs: files(4_000) }));
    expect(['a', 'b', 'c'].map((id) => reports.get(id) !== null)).toEqual([false, true, true]);
    reports.add(report('d', { outputs: files(10_001) }));
    expect(['c', 'd'].map((id) => reports.get(id) !== null)).toEqual([false, true]);
  });
});
