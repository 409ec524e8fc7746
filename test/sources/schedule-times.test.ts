import { describe, expect, it } from 'vitest';
import { type CronFields, parseCron } from '../../schemas/cron.ts';
import { createWallClock, scheduledTimes } from '../../sources/schedule-times.ts';

const PARIS = createWallClock('Europe/Paris');
const UTC = createWallClock('UTC');

function fieldsOf(expression: string): CronFields {
  const fields = parseCron(expression);
  if (typeof fields === 'string') throw new Error(fields);
  return fields;
}

/** Every selected minute of the range, one by one, as `MM-DD hh:mm` in UTC. */
function times(expression: string, after: string, until: string, wall = PARIS): string[] {
  const fields = fieldsOf(expression);
  const found: string[] = [];
  const end = Date.parse(until);
  for (let at = Date.parse(after); at < end; at += 60_000) {
    const { last } = scheduledTimes(fields, { after: at, until: at + 60_000 }, wall);
    if (last !== null) found.push(new Date(last).toISOString().slice(5, 16).replace('T', ' '));
  }
  const whole = scheduledTimes(fields, { after: Date.parse(after), until: end }, wall);
  expect(whole.count).toBe(found.length);
  return found;
}

describe('the times of a schedule', () => {
  it('are those after the one and up to the other end', () => {
    expect(times('0 * * * *', '2026-11-20T10:00:00Z', '2026-11-20T12:00:00Z', UTC)).toEqual([
      '11-20 11:00',
      '11-20 12:00',
    ]);
  });

  it('are those of either day field when both are restricted', () => {
    expect(times('0 9 1 * 1', '2026-11-27T00:00:00Z', '2026-12-08T00:00:00Z')).toEqual([
      '11-30 08:00',
      '12-01 08:00',
      '12-07 08:00',
    ]);
  });

  it('are made up for right after the hour that spring leaves out', () => {
    expect(times('30 2 * * *', '2027-03-27T00:00:00Z', '2027-03-30T00:00:00Z')).toEqual([
      '03-27 01:30',
      '03-28 01:00',
      '03-29 00:30',
    ]);
    expect(times('*/20 2 * * *', '2027-03-28T00:00:00Z', '2027-03-28T03:00:00Z')).toEqual(['03-28 01:00']);
  });

  it('come once in the hour that autumn repeats', () => {
    expect(times('30 2 * * *', '2026-10-24T00:00:00Z', '2026-10-27T00:00:00Z')).toEqual([
      '10-24 00:30',
      '10-25 00:30',
      '10-26 01:30',
    ]);
  });

  it('keep their pace through both when every hour is meant', () => {
    expect(times('*/30 * * * *', '2026-10-24T23:40:00Z', '2026-10-25T02:00:00Z')).toEqual([
      '10-25 00:00',
      '10-25 00:30',
      '10-25 01:00',
      '10-25 01:30',
      '10-25 02:00',
    ]);
    expect(times('*/30 * * * *', '2027-03-28T00:10:00Z', '2027-03-28T01:40:00Z')).toEqual([
      '03-28 00:30',
      '03-28 01:00',
      '03-28 01:30',
    ]);
  });

  it('are right where the clock changes by half an hour, and where an offset ends in 45 minutes', () => {
    const lordHowe = createWallClock('Australia/Lord_Howe');
    // 2027-04-04 02:00 (+11) becomes 01:30 (+10:30)
    expect(times('45 1 * * *', '2027-04-02T15:00:00Z', '2027-04-04T18:00:00Z', lordHowe)).toEqual([
      '04-03 14:45',
      '04-04 15:15',
    ]);
    const kathmandu = createWallClock('Asia/Kathmandu');
    expect(times('0 12 * * *', '2026-11-20T00:00:00Z', '2026-11-21T00:00:00Z', kathmandu)).toEqual([
      '11-20 06:15',
    ]);
  });

  it('are as the machine’s own clock has them without a time zone', () => {
    const system = createWallClock(null);
    const local = new Date(2026, 10, 20, 12, 0);
    const { last } = scheduledTimes(
      fieldsOf('0 12 * * *'),
      { after: local.getTime() - 60_000, until: local.getTime() },
      system,
    );
    expect(last).toBe(local.getTime());
  });
});
