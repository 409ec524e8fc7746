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
  testResults?: object[];
}

function summary(counts: Counts | null, ...failedStages: string[]) {
  const folder = mkdtempSync(join(tmpdir(), 'edge-agent-summary-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const report = join(folder, 'report.json');
  if (counts !== null) {
    const { passed, failed, skipped = 0, testResults } = counts;
    const numbers = {
      numPassedTests: passed,
      numFailedTests: failed,
      numPendingTests: skipped,
      numTodoTests: 0,
      testResults,
    };
    writeFileSync(report, JSON.stringify(numbers));
  }
  const { status, stdout } = spawnSync(process.execPath, [SCRIPT, report, ...failedStages], {
    encoding: 'utf8',
  });
  const lines = stdout.trimEnd().split('\n');
  return { status, last: lines.at(-1), named: lines.filter((line) => line.startsWith('FAILED ')) };
}

test('passes when every test and every stage has passed', () => {
  expect(summary({ passed: 12, failed: 0 })).toMatchObject({ status: 0, last: '12 passed, 0 failed' });
  expect(summary({ passed: 12, failed: 0, skipped: 2 })).toMatchObject({
    status: 0,
    last: '12 passed, 0 failed',
  });
});

test('counts failed tests once, though their stage failed too', () => {
  expect(summary({ passed: 11, failed: 1 }, 'tests')).toMatchObject({
    status: 1,
    last: '11 passed, 1 failed',
  });
});

test('counts a stage that failed after the tests', () => {
  expect(summary({ passed: 12, failed: 0 }, 'check:lint', 'build')).toMatchObject({
    status: 1,
    last: '12 passed, 2 failed',
  });
});

test('fails when the tests ended badly without a failed test', () => {
  expect(summary({ passed: 12, failed: 0 }, 'tests')).toMatchObject({
    status: 1,
    last: '12 passed, 1 failed',
  });
});

test('fails when no test ran, with and without a report', () => {
  expect(summary({ passed: 0, failed: 0, skipped: 4 })).toMatchObject({
    status: 1,
    last: '0 passed, 1 failed',
  });
  expect(summary(null, 'tests')).toMatchObject({ status: 1, last: '0 passed, 1 failed' });
});

test('names what failed once more, a line each, with what it said first', () => {
  const failed = (name: string, says: string) => ({
    status: 'failed',
    fullName: name,
    failureMessages: [`${says}\n    at somewhere`],
  });
  const { named } = summary(
    {
      passed: 1,
      failed: 2,
      testResults: [
        {
          name: join(process.cwd(), 'test/a.test.ts'),
          status: 'failed',
          assertionResults: [
            { status: 'passed', fullName: 'works' },
            failed('a thing holds', 'Error: it did not'),
            failed('long', 'x'.repeat(1000)),
          ],
        },
        {
          name: join(process.cwd(), 'test/b.test.ts'),
          status: 'failed',
          message: 'no such module',
          assertionResults: [],
        },
      ],
    },
    'tests',
  );
  expect(named).toEqual([
    'FAILED test/a.test.ts > a thing holds: Error: it did not',
    `FAILED test/a.test.ts > long: ${'x'.repeat(300 - 'FAILED test/a.test.ts > long: '.length)}`,
    'FAILED test/b.test.ts: no such module',
  ]);
});
