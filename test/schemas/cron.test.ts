import { describe, expect, it } from 'vitest';
import { parseCron } from '../../schemas/cron.ts';

const fields = (expression: string) => {
  const parsed = parseCron(expression);
  if (typeof parsed === 'string') throw new Error(parsed);
  return parsed;
};

describe('cron expressions', () => {
  it('reads lists, ranges, steps and names', () => {
    expect([...fields('*/15 9-17 1,15 jan-mar mon-fri').minute]).toEqual([0, 15, 30, 45]);
    expect([...fields('0 9-17/4 * * *').hour]).toEqual([9, 13, 17]);
    expect([...fields('0 0 * jan,DEC *').month]).toEqual([1, 12]);
  });

  it('takes 7 and 0 as Sunday', () => {
    expect([...fields('0 3 * * 7').dayOfWeek]).toEqual([0]);
    expect([...fields('0 3 * * sun').dayOfWeek]).toEqual([0]);
  });

  it.each([
    [
      '* * * *',
      'expected five fields (minute hour day month weekday, such as "0 7 * * 1-5"), found 4 in "* * * *"',
    ],
    ['60 * * * *', 'expected a minute of 0-59, found "60"'],
    ['* * 0 * *', 'expected a day of month of 1-31, found "0"'],
    ['5-1 * * * *', 'expected a minute of 0-59, found "5-1"'],
    ['*/0 * * * *', 'expected a minute of 0-59, found "*/0"'],
    [
      '@daily',
      'expected five fields (minute hour day month weekday, such as "0 7 * * 1-5"), found 1 in "@daily"',
    ],
  ])('says what is wrong with %s', (expression, message) => expect(parseCron(expression)).toBe(message));
});
