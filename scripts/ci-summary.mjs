// The last lines of .ci/run: which stages failed, then "N passed, N failed" alone.
//
//   node scripts/ci-summary.mjs <vitest's JSON report> [names of failed stages…]
import { readFileSync } from 'node:fs';

const [path = '', ...stages] = process.argv.slice(2);
const tests = counted(path);
// The stage `tests` is in the numbers already, unless it failed without a failed test.
const others = stages.filter((stage) => stage !== 'tests');
const unexplained = tests.failed === 0 && (stages.includes('tests') || tests.passed === 0) ? 1 : 0;
const failed = tests.failed + others.length + unexplained;

if (stages.length > 0) console.log(`failed stages: ${stages.join(', ')}`);
if (tests.passed + tests.failed === 0) console.log('expected tests to run, found none in the report');
if (tests.skipped > 0) console.log(`${tests.skipped} tests are of other platforms, and were skipped`);
console.log(`${tests.passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;

/**
 * @param {string} report
 * @returns {{ passed: number, failed: number, skipped: number }} zeros when there is no report
 */
function counted(report) {
  try {
    const { numPassedTests, numFailedTests, numPendingTests, numTodoTests } = JSON.parse(
      readFileSync(report, 'utf8'),
    );
    return { passed: numPassedTests, failed: numFailedTests, skipped: numPendingTests + numTodoTests };
  } catch {
    return { passed: 0, failed: 0, skipped: 0 };
  }
}
