import { z } from 'zod';

const UNITS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
type Unit = keyof typeof UNITS;

/** Milliseconds of `500ms|30s|5m|24h|30d`, or null when the text is no duration. */
export function parseDuration(text: string): number | null {
  const match = /^(\d{1,12})(ms|s|m|h|d)$/.exec(text);
  if (match === null) return null;
  const value = Number(match[1]) * UNITS[match[2] as Unit];
  return Number.isSafeInteger(value) ? value : null;
}

/** The shortest exact text of a whole number of milliseconds: `90000` is `90s`, `60000` is `1m`. */
export function formatDuration(milliseconds: number): string {
  if (!Number.isSafeInteger(milliseconds) || milliseconds < 0) {
    throw new RangeError(`expected a whole number of milliseconds, found ${milliseconds}`);
  }
  for (const unit of ['d', 'h', 'm', 's'] as const) {
    if (milliseconds !== 0 && milliseconds % UNITS[unit] === 0) return `${milliseconds / UNITS[unit]}${unit}`;
  }
  return milliseconds === 0 ? '0s' : `${milliseconds}ms`;
}

export const DURATION_PATTERN = '^\\d{1,12}(ms|s|m|h|d)$';

/** A duration in YAML or JSON: text in, milliseconds out. */
export const Duration = z
  .string('expected a duration such as 500ms, 30s, 5m, 24h or 30d')
  .refine((text) => parseDuration(text) !== null, 'expected a duration such as 500ms, 30s, 5m, 24h or 30d')
  .transform((text) => parseDuration(text) as number)
  .meta({ pattern: DURATION_PATTERN, examples: ['30s', '5m', '24h'] });

/** A duration of more than nothing, for intervals and timeouts. */
export const PositiveDuration = Duration.refine((ms) => ms > 0, 'expected a duration longer than 0s');
