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
  it('run at once: each may wait for what another one does', async () => {
    const one = Promise.withResolvers<void>();
    const other = Promise.withResolvers<void>();
    const meet = (name: string, mine: typeof one, theirs: typeof one) =>
      check(
        name,
        async () => {
          mine.resolve();
          await theirs.promise;
          return ok(name, 'met', 'y');
        },
        60_000,
      );
    const findings = await runChecks(
      [meet('a', one, other), meet('b', other, one)],
      new AbortController().signal,
    );
    expect(findings.map(({ found }) => found)).toEqual(['met', 'met']);
  });

  it('end at their deadlines, and keep their order', async () => {
    const findings = await runChecks(
      [check('a', never, 300), check('c', async () => [ok('c.1', 'x', 'y'), ok('c.2', 'x', 'y')], 60_000)],
      new AbortController().signal,
    );
    expect(findings.map(({ name, status }) => `${name} ${status}`)).toEqual(['a fail', 'c.1 ok', 'c.2 ok']);
    expect(findings[0]?.found).toBe('no answer within 0.3 s');
  });

  it('repeat nothing of what servers say that a terminal would obey', async () => {
    const certificate = check('a', async () =>
      ok('a', 'by \u001b[2J\u001b]0;mine\u0007nobody\u202e\r\n', 'y'),
    );
    const broken = check('b', () => Promise.reject(new Error('\u001b[8m')));
    const findings = await runChecks([certificate, broken], new AbortController().signal);
    expect(findings.map(({ found }) => found)).toEqual([
      'by  [2J ]0;mine nobody ',
      'the look itself failed:  [8m',
    ]);
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
