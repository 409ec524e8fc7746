// The last lines of .ci/run: which stages failed, the failed tests again by name, then "N passed, N failed" alone.
//
//   node scripts/ci-summary.mjs <vitest's JSON report> [names of failed stages…]
import { readFileSync } from 'node:fs';
import { relative } from 'node:path';

// A log is often kept by its end only: what failed has to be there.
const MAX_NAMED = 20;
const MAX_LINE = 300;

const [path = '', ...stages] = process.argv.slice(2);
const tests = counted(path);
// The stage `tests` is in the numbers already, unless it failed without a failed test.
const others = stages.filter((stage) => stage !== 'tests');
const unexplained = tests.failed === 0 && (stages.includes('tests') || tests.passed === 0) ? 1 : 0;
const failed = tests.failed + others.length + unexplained;

if (stages.length > 0) console.log(`failed stages: ${stages.join(', ')}`);
for (const line of tests.named.slice(0, MAX_NAMED)) console.log(`FAILED ${line}`.slice(0, MAX_LINE));
if (tests.named.length > MAX_NAMED) console.log(`and ${tests.named.length - MAX_NAMED} more`);
if (tests.passed + tests.failed === 0) console.log('expected tests to run, found none in the report');
if (tests.skipped > 0) console.log(`${tests.skipped} tests are of other platforms, and were skipped`);
console.log(`${tests.passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;

/**
 * @param {string} report
 * @returns {{ passed: number, failed: number, skipped: number, named: string[] }} zeros when there is no report
 */
function counted(report) {
  try {
    const { numPassedTests, numFailedTests, numPendingTests, numTodoTests, testResults } = JSON.parse(
      readFileSync(report, 'utf8'),
    );
    return {
      passed: numPassedTests,
      failed: numFailedTests,
      skipped: numPendingTests + numTodoTests,
      named: (testResults ?? []).flatMap(failures),
    };
  } catch {
    return { passed: 0, failed: 0, skipped: 0, named: [] };
  }
}

/**
 * @param {{ name: string, status?: string, message?: string, assertionResults: { status: string, fullName: string, failureMessages?: string[] }[] }} file
 * @returns {string[]} one line a failed test; a file that could not be run is one, too
 */
function failures({ name, status, message, assertionResults }) {
  const file = relative('', name);
  const failed = assertionResults.filter((test) => test.status === 'failed');
  if (failed.length === 0) return status === 'failed' ? [`${file}: ${firstLine(message)}`] : [];
  return failed.map((test) => `${file} > ${test.fullName}: ${firstLine(test.failureMessages?.[0])}`);
}

/** @param {string | undefined} text */
function firstLine(text = '') {
  return text.trim().split('\n', 1)[0];
}
