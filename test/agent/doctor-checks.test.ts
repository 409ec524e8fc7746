import { describe, expect, it } from 'vitest';
import { type Check, ok, runChecks } from '../../agent/doctor/check.ts';

const check = (name: string, run: Check['run'], deadlineMs = 5_000): Check => ({
  group: 'state',
  name,
  code: 4,
  expected: 'an answer',
  deadlineMs,
  run,
});
const never = () => new Promise<never>(() => {});

describe('the checks of the doctor', () => {
  it('run at once, end at their deadlines, and keep their order', async () => {
    const began = performance.now();
    const findings = await runChecks(
      [
        check('a', never, 300),
        check('b', never, 300),
        check('c', async () => [ok('c.1', 'x', 'y'), ok('c.2', 'x', 'y')]),
      ],
      new AbortController().signal,
    );
    expect(performance.now() - began).toBeLessThan(4_000);
    expect(findings.map(({ name, status }) => `${name} ${status}`)).toEqual([
      'a fail',
      'b fail',
      'c.1 ok',
      'c.2 ok',
    ]);
    expect(findings[0]?.found).toBe('no answer within 0.3 s');
  });

  it('tell of a look that breaks as a finding, and take nothing else along', async () => {
    const broken = check('a', () => Promise.reject(new Error('EIO: i/o error')));
    const findings = await runChecks(
      [broken, check('b', async () => ok('b', 'x', 'y'))],
      AbortSignal.timeout(9_000),
    );
    expect(findings.map(({ status, found }) => [status, found])).toEqual([
      ['fail', 'the look itself failed: EIO: i/o error'],
      ['ok', 'x'],
    ]);
  });

  it('end with whoever asked', async () => {
    const asked = new AbortController();
    const running = runChecks([check('a', never)], asked.signal);
    asked.abort(new Error('Ctrl-C'));
    await expect(running).rejects.toThrow('Ctrl-C');
  });
});
