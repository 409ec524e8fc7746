import { parseCron } from '../schemas/cron.ts';
import { cronSelects } from './window.ts';

const MINUTE_MS = 60_000;
/** A machine that is off at the hour of its schedule makes up for it: no week goes by without a clean-up. */
const AT_LEAST_EVERY_MS = 7 * 86_400_000 + 60 * MINUTE_MS;

/** Whether the clean-up of `retention.schedule` is due: in a minute it selects, once, or more than a week after the last. */
export function cleanUpIsDue(schedule: string, timezone: string | null, last: Date, now: Date): boolean {
  const since = now.getTime() - last.getTime();
  if (since > AT_LEAST_EVERY_MS) return true;
  const fields = parseCron(schedule);
  return typeof fields !== 'string' && since >= MINUTE_MS && cronSelects(fields, now, timezone);
}
