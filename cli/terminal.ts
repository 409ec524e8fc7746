import { stripVTControlCharacters, styleText } from 'node:util';

type Style = 'red' | 'green' | 'yellow' | 'cyan' | 'bold' | 'dim';

/** Where a command writes: results to standard output, everything else to standard error (contract, section 10). */
export interface Terminal {
  readonly json: boolean;
  /** A result for people; nothing with `--output json`. */
  line(text?: string): void;
  /** The one JSON document of `--output json`; nothing without. */
  document(value: unknown): void;
  /** Progress, warnings and errors. */
  note(text: string): void;
  /** A line on standard error that the next one replaces; nothing when nobody watches. */
  progress(text: string): void;
  clearProgress(): void;
  paint(style: Style, text: string): string;
  /** Columns of the terminal that shows results; without end where none does. */
  readonly width: number;
  readonly watched: boolean;
}

export function createTerminal(json: boolean): Terminal {
  const watched = process.stderr.isTTY && !json;
  const colour = (stream: NodeJS.WriteStream) => stream.isTTY && (process.env['NO_COLOR'] ?? '') === '';
  let shown = false;
  const clear = () => {
    if (shown) process.stderr.write('\r\u001b[2K');
    shown = false;
  };
  return {
    json,
    watched,
    width: process.stdout.isTTY ? process.stdout.columns : Number.POSITIVE_INFINITY,
    line(text = '') {
      clear();
      if (!json) process.stdout.write(`${text}\n`);
    },
    document(value) {
      if (json) process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
    },
    note(text) {
      clear();
      process.stderr.write(`${text}\n`);
    },
    progress(text) {
      if (!watched) return;
      clear();
      process.stderr.write(text.slice(0, (process.stderr.columns ?? 80) - 1));
      shown = true;
    },
    clearProgress: clear,
    paint: (style, text) =>
      colour(process.stdout) ? styleText(style, text, { validateStream: false }) : text,
  };
}

/** Rows in columns as wide as their widest cell; the last one is cut where the terminal ends. */
export function table(
  header: readonly string[],
  rows: readonly (readonly string[])[],
  width = Number.POSITIVE_INFINITY,
): string[] {
  const length = (text: string) => stripVTControlCharacters(text).length;
  const widths = header.map((name, column) =>
    Math.max(name.length, ...rows.map((row) => length(row[column] ?? ''))),
  );
  const before = widths.slice(0, -1).reduce((sum, each) => sum + each + 2, 0);
  const last = Math.max((header.at(-1) ?? '').length, width - before);
  const format = (cells: readonly string[]) =>
    cells
      .map((cell, column) => {
        if (column < cells.length - 1)
          return cell + ' '.repeat(Math.max(0, (widths[column] ?? 0) - length(cell)));
        return length(cell) <= last
          ? cell
          : `${stripVTControlCharacters(cell).slice(0, Math.max(1, last - 1))}…`;
      })
      .join('  ')
      .trimEnd();
  return [format(header.map((name) => name.toUpperCase())), ...rows.map(format)];
}

/** Digests and commits cut to what a person compares: their first 12 digits. */
export function shortDigests(text: string): string {
  return text.replace(/\b([0-9a-f]{12})[0-9a-f]{28}(?:[0-9a-f]{24})?\b/g, '$1…');
}

/** "3 min ago" for people, from milliseconds. */
export function ago(milliseconds: number): string {
  const seconds = Math.round(milliseconds / 1_000);
  if (seconds < 0) return 'in the future';
  if (seconds < 60) return `${seconds} s ago`;
  if (seconds < 3_600) return `${Math.round(seconds / 60)} min ago`;
  if (seconds < 172_800) return `${Math.round(seconds / 3_600)} h ago`;
  return `${Math.round(seconds / 86_400)} days ago`;
}

/** "12.3 MiB" for people. */
export function bytes(count: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let value = count;
  let unit = 0;
  while (value >= 1_024 && unit < units.length - 1) {
    value /= 1_024;
    unit += 1;
  }
  return unit === 0 ? `${count} B` : `${value.toFixed(1)} ${units[unit]}`;
}
