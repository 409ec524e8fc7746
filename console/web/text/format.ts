import { useMemo } from 'preact/hooks';
import { type Language, useLanguage } from './language.tsx';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

export interface Format {
  number(value: number): string;
  /** `12:04:31, Friday 21 November 2026 UTC+1`: everything there is to know, in the reader's zone. */
  exact(time: Date): string;
  /** `12:04:31`, with the day before it when that is not today. */
  clock(time: Date, now: Date): string;
  /** `3 min. ago`; `just now` below ten seconds, of the future too (clocks differ). */
  ago(time: Date, now: Date): string;
  /** `420 ms`, `12 s`, `3 min 05 s`, `2 h 14 min`, `3 d 4 h`. */
  duration(ms: number): string;
  /** `1.4 MB`, in steps of 1000. */
  bytes(count: number): string;
  percent(share: number): string;
  list(words: readonly string[]): string;
  /** Between a name and what is said of it: French has a space before it, at which no line breaks. */
  readonly colon: string;
}

function createFormat(language: Language): Format {
  const number = new Intl.NumberFormat(language);
  const short = new Intl.NumberFormat(language, { maximumFractionDigits: 1 });
  const percent = new Intl.NumberFormat(language, { style: 'percent', maximumFractionDigits: 0 });
  const exact = new Intl.DateTimeFormat(language, {
    weekday: 'short',
    day: 'numeric',
    month: 'short',
    year: 'numeric',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
    timeZoneName: 'short',
  });
  const time = new Intl.DateTimeFormat(language, {
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
    hour12: false,
  });
  const day = new Intl.DateTimeFormat(language, { day: 'numeric', month: 'short' });
  const relative = new Intl.RelativeTimeFormat(language, { style: 'short' });
  const list = new Intl.ListFormat(language, { type: 'conjunction' });
  const days = language === 'fr' ? 'j' : 'd';
  const now = language === 'fr' ? 'à l’instant' : 'just now';
  const two = (value: number) => String(value).padStart(2, '0');

  return {
    number: (value) => number.format(value),
    exact: (when) => exact.format(when),
    clock: (when, today) =>
      when.toDateString() === today.toDateString()
        ? time.format(when)
        : `${day.format(when)} ${time.format(when)}`,
    ago: (when, from) => {
      const ms = when.getTime() - from.getTime();
      const size = Math.abs(ms);
      if (size < 10 * SECOND) return now;
      if (size < MINUTE) return relative.format(Math.trunc(ms / (10 * SECOND)) * 10, 'second');
      if (size < HOUR) return relative.format(Math.trunc(ms / MINUTE), 'minute');
      if (size < 2 * DAY) return relative.format(Math.trunc(ms / HOUR), 'hour');
      return relative.format(Math.trunc(ms / DAY), 'day');
    },
    duration: (ms) => {
      if (ms < SECOND) return `${Math.round(ms)} ms`;
      if (ms < 10 * SECOND) return `${short.format(ms / SECOND)} s`;
      if (ms < MINUTE) return `${Math.floor(ms / SECOND)} s`;
      if (ms < HOUR) return `${Math.floor(ms / MINUTE)} min ${two(Math.floor((ms % MINUTE) / SECOND))} s`;
      if (ms < DAY) return `${Math.floor(ms / HOUR)} h ${two(Math.floor((ms % HOUR) / MINUTE))} min`;
      return `${Math.floor(ms / DAY)} ${days} ${Math.floor((ms % DAY) / HOUR)} h`;
    },
    bytes: (count) => {
      const letter = language === 'fr' ? 'o' : 'B';
      const units = ['', 'k', 'M', 'G', 'T'];
      const step = Math.min(units.length - 1, Math.max(0, Math.floor(Math.log10(Math.max(count, 1)) / 3)));
      return `${short.format(count / 1_000 ** step)} ${units[step]}${letter}`;
    },
    percent: (share) => percent.format(share),
    list: (words) => list.format(words),
    colon: language === 'fr' ? '\u00a0: ' : ': ',
  };
}

/** Numbers, times and sizes as the reader's language writes them. */
export function useFormat(): Format {
  const { language } = useLanguage();
  return useMemo(() => createFormat(language), [language]);
}
