import { z } from 'zod';

const FIELDS = [
  { name: 'minute', min: 0, max: 59, names: [] as string[] },
  { name: 'hour', min: 0, max: 23, names: [] as string[] },
  { name: 'day of month', min: 1, max: 31, names: [] as string[] },
  {
    name: 'month',
    min: 1,
    max: 12,
    names: ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'],
  },
  { name: 'day of week', min: 0, max: 7, names: ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'] },
] as const;

/** Minutes a five-field cron expression selects: one set of allowed values a field, and whether both days are restricted. */
export interface CronFields {
  readonly minute: ReadonlySet<number>;
  readonly hour: ReadonlySet<number>;
  readonly dayOfMonth: ReadonlySet<number>;
  readonly month: ReadonlySet<number>;
  readonly dayOfWeek: ReadonlySet<number>;
  readonly anyDayOfMonth: boolean;
  readonly anyDayOfWeek: boolean;
}

/** Parses the five fields of crontab(5); a text says what is wrong. Names of months and days are taken, `@daily` is not. */
export function parseCron(expression: string): CronFields | string {
  const parts = expression.trim().split(/\s+/);
  if (parts.length !== 5)
    return `expected five fields (minute hour day month weekday, such as "0 7 * * 1-5"), found ${parts.length} in ${shown(expression)}`;
  const sets: Set<number>[] = [];
  for (const [index, field] of FIELDS.entries()) {
    const values = parseField(parts[index] as string, field);
    if (typeof values === 'string') return values;
    sets.push(values);
  }
  const [minute, hour, dayOfMonth, month, dayOfWeek] = sets as [
    Set<number>,
    Set<number>,
    Set<number>,
    Set<number>,
    Set<number>,
  ];
  if (dayOfWeek.delete(7)) dayOfWeek.add(0);
  return {
    minute,
    hour,
    dayOfMonth,
    month,
    dayOfWeek,
    anyDayOfMonth: (parts[2] as string).startsWith('*'),
    anyDayOfWeek: (parts[4] as string).startsWith('*'),
  };
}

function shown(text: string): string {
  return JSON.stringify(text.slice(0, 80)).replace(/[\u007f-\u009f]/g, '?');
}

function parseField(text: string, field: (typeof FIELDS)[number]): Set<number> | string {
  const values = new Set<number>();
  for (const item of text.split(',')) {
    const match = /^(\*|[a-z0-9]+(?:-[a-z0-9]+)?)(?:\/(\d{1,2}))?$/i.exec(item);
    const wrong = `expected a ${field.name} of ${field.min}-${field.max}, found ${shown(item)}`;
    if (match === null) return wrong;
    const step = match[2] === undefined ? 1 : Number(match[2]);
    if (step < 1) return wrong;
    let from: number = field.min;
    let to: number = field.max;
    if (match[1] !== '*') {
      const [low, high] = (match[1] as string).split('-').map((word) => valueOf(word, field));
      if (low === undefined || Number.isNaN(low)) return wrong;
      from = low;
      to = high ?? (match[2] === undefined ? low : field.max);
    }
    if (Number.isNaN(to) || from < field.min || to > field.max || from > to) return wrong;
    for (let value = from; value <= to; value += step) values.add(value);
  }
  return values;
}

function valueOf(word: string, field: (typeof FIELDS)[number]): number {
  const named = (field.names as readonly string[]).indexOf(word.toLowerCase());
  if (named >= 0) return named + field.min;
  return /^\d{1,2}$/.test(word) ? Number(word) : Number.NaN;
}

/** A cron expression of five fields, kept as text. */
export const Cron = z
  .string()
  .superRefine((text, context) => {
    const parsed = parseCron(text);
    if (typeof parsed === 'string') context.addIssue({ code: 'custom', message: parsed });
  })
  .describe('Five cron fields: minute hour day-of-month month day-of-week');
