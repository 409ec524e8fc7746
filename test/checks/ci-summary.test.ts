import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';

const SCRIPT = fileURLToPath(new URL('../../scripts/ci-summary.mjs', import.meta.url));

interface Counts {
  passed: number;
  failed: number;
  skipped?: number;
}

function summary(counts: Counts | null, ...failedStages: string[]) {
  const folder = mkdtempSync(join(tmpdir(), 'edge-agent-summary-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const report = join(folder, 'report.json');
  if (counts !== null) {
    const { passed, failed, skipped = 0 } = counts;
    const numbers = {
      numPassedTests: passed,
      numFailedTests: failed,
      numPendingTests: skipped,
      numTodoTests: 0,
    };
    writeFileSync(report, JSON.stringify(numbers));
  }
  const { status, stdout } = spawnSync(process.execPath, [SCRIPT, report, ...failedStages], {
    encoding: 'utf8',
  });
  return { status, last: stdout.trimEnd().split('\n').at(-1) };
}

test('passes when every test and every stage has passed', () => {
  expect(summary({ passed: 12, failed: 0 })).toEqual({ status: 0, last: '12 passed, 0 failed' });
  expect(summary({ passed: 12, failed: 0, skipped: 2 })).toEqual({
    status: 0,
    last: '12 passed, 0 failed',
  });
});

test('counts failed tests once, though their stage failed too', () => {
  expect(summary({ passed: 11, failed: 1 }, 'tests')).toEqual({ status: 1, last: '11 passed, 1 failed' });
});

test('counts a stage that failed after the tests', () => {
  expect(summary({ passed: 12, failed: 0 }, 'check:lint', 'build')).toEqual({
    status: 1,
    last: '12 passed, 2 failed',
  });
});

test('fails when the tests ended badly without a failed test', () => {
  expect(summary({ passed: 12, failed: 0 }, 'tests')).toEqual({ status: 1, last: '12 passed, 1 failed' });
});

test('fails when no test ran, with and without a report', () => {
  expect(summary({ passed: 0, failed: 0, skipped: 4 })).toEqual({
    status: 1,
    last: '0 passed, 1 failed',
  });
  expect(summary(null, 'tests')).toEqual({ status: 1, last: '0 passed, 1 failed' });
});
