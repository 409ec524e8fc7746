import { type CronFields, parseCron } from '../schemas/cron.ts';

/** True when the minute of `at`, read in `timezone` (IANA name, null for the system's), is one the expression selects. */
export function cronSelects(fields: CronFields, at: Date, timezone: string | null): boolean {
  const parts = new Intl.DateTimeFormat('en-GB', {
    ...(timezone === null ? {} : { timeZone: timezone }),
    hourCycle: 'h23',
    minute: 'numeric',
    hour: 'numeric',
    day: 'numeric',
    month: 'numeric',
    weekday: 'short',
  }).formatToParts(at);
  const value = (type: string) => parts.find((part) => part.type === type)?.value ?? '';
  const weekday = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'].indexOf(value('weekday'));
  const day = fields.dayOfMonth.has(Number(value('day')));
  const week = fields.dayOfWeek.has(weekday);
  // crontab(5): when both day fields are restricted, either is enough
  const date = fields.anyDayOfMonth || fields.anyDayOfWeek ? day && week : day || week;
  return (
    fields.minute.has(Number(value('minute'))) &&
    fields.hour.has(Number(value('hour'))) &&
    fields.month.has(Number(value('month'))) &&
    date
  );
}

/** Whether activation may happen now: always without windows, else in a minute that any of them selects. */
export function inMaintenanceWindow(
  windows: readonly string[] | undefined,
  at: Date,
  timezone: string | null,
): boolean {
  if (windows === undefined) return true;
  return windows.some((window) => {
    const fields = parseCron(window);
    return typeof fields !== 'string' && cronSelects(fields, at, timezone);
  });
}
