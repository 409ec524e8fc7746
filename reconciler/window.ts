import { type CronFields, parseCron } from '../schemas/cron.ts';

/** True when the minute of `at`, read in `timezone` (IANA name, null for the system's), is one the expression selects. */
export function cronSelects(fields: CronFields, at: Date, timezone: string | null): boolean {
  const now = timezone === null ? systemTime(at) : timeIn(timezone, at);
  const day = fields.dayOfMonth.has(now.day);
  const week = fields.dayOfWeek.has(now.weekday);
  // crontab(5): when both day fields are restricted, either is enough
  const date = fields.anyDayOfMonth || fields.anyDayOfWeek ? day && week : day || week;
  return fields.minute.has(now.minute) && fields.hour.has(now.hour) && fields.month.has(now.month) && date;
}

interface WallTime {
  readonly minute: number;
  readonly hour: number;
  readonly day: number;
  /** From 1. */
  readonly month: number;
  /** From 0, Sunday. */
  readonly weekday: number;
}

/** Without Intl: its first use costs megabytes that an idle agent would keep. */
function systemTime(at: Date): WallTime {
  return {
    minute: at.getMinutes(),
    hour: at.getHours(),
    day: at.getDate(),
    month: at.getMonth() + 1,
    weekday: at.getDay(),
  };
}

function timeIn(timezone: string, at: Date): WallTime {
  const parts = new Intl.DateTimeFormat('en-GB', {
    timeZone: timezone,
    hourCycle: 'h23',
    minute: 'numeric',
    hour: 'numeric',
    day: 'numeric',
    month: 'numeric',
    weekday: 'short',
  }).formatToParts(at);
  const value = (type: string) => parts.find((part) => part.type === type)?.value ?? '';
  return {
    minute: Number(value('minute')),
    hour: Number(value('hour')),
    day: Number(value('day')),
    month: Number(value('month')),
    weekday: ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'].indexOf(value('weekday')),
  };
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
