import { BUILD_TAG_DAYS } from './budgets.ts';
import type { GitTime } from './git-objects.ts';

const BUILD_TAG = /^bld\//;
const GREGORIAN_CYCLE_SECONDS = 146_097 * 86_400;
/** Years since 1900 are a C int in git. */
const MAX_YEAR = 2 ** 31 - 1 + 1_900;

export function isBuildTag(shortName: string): boolean {
  return BUILD_TAG.test(shortName);
}

/** `date -d '30 days ago' +%Y-%m-%d`: a day of the calendar here, thirty days before the one of `now` here. */
export function oldestKeptDay(now: Date): string {
  return isoDay(new Date(now.getFullYear(), now.getMonth(), now.getDate() - BUILD_TAG_DAYS, 12));
}

/**
 * What `git log -1 --format=%as` prints: the author's day in the author's own zone; empty when the commit tells no time, and the
 * first day of 1970 when it tells one that no calendar has.
 */
export function authorDay(time: GitTime | null): string {
  if (time === null) return '';
  const { seconds, zone } = time;
  const hours = Math.trunc(zone / 100);
  const minutes = hours * 60 + (zone - hours * 100);
  const local = seconds + minutes * 60;
  // Git knows years that Date does not: the calendar repeats itself every 400 years.
  const cycles = Math.floor(local / GREGORIAN_CYCLE_SECONDS);
  const date = new Date((local - cycles * GREGORIAN_CYCLE_SECONDS) * 1_000);
  const year = date.getUTCFullYear() + cycles * 400;
  if (!(year <= MAX_YEAR)) return '1970-01-01';
  return `${String(year).padStart(4, '0')}-${twoDigits(date.getUTCMonth() + 1)}-${twoDigits(date.getUTCDate())}`;
}

/** The comparison of the seed's script: as text. */
export function isStaleDay(day: string, oldestKept: string): boolean {
  return day < oldestKept;
}

function isoDay(date: Date): string {
  return `${date.getFullYear()}-${twoDigits(date.getMonth() + 1)}-${twoDigits(date.getDate())}`;
}

function twoDigits(value: number): string {
  return String(value).padStart(2, '0');
}
