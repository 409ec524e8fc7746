import type { CronFields } from '../schemas/cron.ts';

const MINUTE_MS = 60_000;
/** No zone changes its clock but at a quarter of an hour, and no offset of today is less even than that. */
const QUARTER_MS = 15 * MINUTE_MS;
/** A change of the clock is looked for so far back; none is larger but for days that a country left out. */
const CHANGE_MS = 3 * 60 * MINUTE_MS;
const HOURS = 24;
const OFFSETS_MAX = 10_000;

/** Reads the clock on the wall of a time zone. */
export interface WallClock {
  /** What is to be added to a time in UTC, in milliseconds. */
  offsetMs(at: number): number;
}

/** `timezone` is an IANA name, or null for the system's. */
export function createWallClock(timezone: string | null): WallClock {
  const read = timezone === null ? systemOffset : zoneOffset(timezone);
  const known = new Map<number, number>();
  return {
    offsetMs(at) {
      const quarter = Math.floor(at / QUARTER_MS);
      const cached = known.get(quarter);
      if (cached !== undefined) return cached;
      if (known.size >= OFFSETS_MAX) known.clear();
      const offset = read(quarter * QUARTER_MS);
      known.set(quarter, offset);
      return offset;
    },
  };
}

/** Without Intl: its first use costs megabytes that an idle agent would keep. */
function systemOffset(at: number): number {
  return -new Date(at).getTimezoneOffset() * MINUTE_MS;
}

function zoneOffset(timezone: string): (at: number) => number {
  const format = new Intl.DateTimeFormat('en-GB', {
    timeZone: timezone,
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
  });
  return (at) => {
    const parts = new Map(format.formatToParts(at).map(({ type, value }) => [type, Number(value)]));
    const part = (type: Intl.DateTimeFormatPartTypes) => parts.get(type) ?? 0;
    return Date.UTC(part('year'), part('month') - 1, part('day'), part('hour'), part('minute')) - at;
  };
}

/**
 * The minutes after `after` and up to `until` (milliseconds since 1970) that the expression selects: how many, and the last
 * of them. As crontab(5) does it when the clock changes: a schedule of every hour keeps its pace; of any other, a time that
 * is left out is made up for by the first minute after the gap, and a time that comes twice counts once.
 */
export function scheduledTimes(
  fields: CronFields,
  range: { readonly after: number; readonly until: number },
  wall: WallClock,
): { readonly count: number; readonly last: number | null } {
  const steady = fields.hour.size === HOURS;
  let count = 0;
  let last: number | null = null;
  const first = Math.floor(range.after / MINUTE_MS) * MINUTE_MS + MINUTE_MS;
  for (let quarter = quarterOf(first); quarter <= range.until; quarter += QUARTER_MS) {
    const offset = wall.offsetMs(quarter);
    const madeUp = !steady && selectsInGap(fields, quarter, wall);
    for (let at = Math.max(quarter, first); at < quarter + QUARTER_MS && at <= range.until; at += MINUTE_MS) {
      const due = (madeUp && at === quarter) || selects(fields, at + offset);
      if (!due || (!steady && isSecondTime(at, offset, wall))) continue;
      count += 1;
      last = at;
    }
  }
  return { count, last };
}

const quarterOf = (at: number) => Math.floor(at / QUARTER_MS) * QUARTER_MS;

/** `local` is a time on the wall, written as if it were UTC. */
function selects(fields: CronFields, local: number): boolean {
  const minute = Math.floor(local / MINUTE_MS);
  if (!fields.minute.has(minute % 60) || !fields.hour.has(Math.floor(minute / 60) % HOURS)) return false;
  const at = new Date(local);
  if (!fields.month.has(at.getUTCMonth() + 1)) return false;
  const day = fields.dayOfMonth.has(at.getUTCDate());
  const week = fields.dayOfWeek.has(at.getUTCDay());
  // crontab(5): when both day fields are restricted, either is enough
  return fields.anyDayOfMonth || fields.anyDayOfWeek ? day && week : day || week;
}

/** The clock went forward at this quarter, over a minute that was selected. */
function selectsInGap(fields: CronFields, quarter: number, wall: WallClock): boolean {
  const before = wall.offsetMs(quarter - QUARTER_MS);
  const gap = wall.offsetMs(quarter) - before;
  for (let ms = 0; ms < gap; ms += MINUTE_MS) {
    if (selects(fields, quarter + before + ms)) return true;
  }
  return false;
}

/** The clock went back a while ago, and showed this minute before. */
function isSecondTime(at: number, offset: number, wall: WallClock): boolean {
  const earlier = wall.offsetMs(at - CHANGE_MS);
  return earlier > offset && wall.offsetMs(at - (earlier - offset)) === earlier;
}
