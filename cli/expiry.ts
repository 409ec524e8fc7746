import { parseDuration } from '../schemas/duration.ts';
import { Timestamp } from '../schemas/names.ts';
import { EXIT } from './exit-codes.ts';
import { CommandFailure } from './failure.ts';

/** The time of `--expires`, RFC 3339 in UTC: a duration from now, a day or a time. It must lie ahead. */
export function expiryOf(text: string, now: Date): string {
  const duration = parseDuration(text);
  const at = duration === null ? timeOf(text) : now.getTime() + duration;
  if (Number.isNaN(new Date(at).getTime())) {
    const expected =
      'a duration such as 90d, a day such as 2027-06-30 or a time such as 2027-06-30T12:00:00Z';
    throw new CommandFailure('usage', `--expires: expected ${expected}, found "${text}"`, EXIT.usage);
  }
  if (at <= now.getTime()) {
    throw new CommandFailure(
      'usage',
      `--expires: expected a time after now (${inUtc(now)}), found "${text}"`,
      EXIT.usage,
    );
  }
  return inUtc(new Date(at));
}

/** To the second: `2027-06-30T12:00:00Z`. */
export function inUtc(time: Date): string {
  return `${time.toISOString().slice(0, -5)}Z`;
}

function timeOf(text: string): number {
  if (/^\d{4}-\d{2}-\d{2}$/.test(text)) return Date.parse(`${text}T00:00:00Z`);
  return Timestamp.safeParse(text).success ? Date.parse(text) : Number.NaN;
}
