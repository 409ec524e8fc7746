export type Unit = 'ms' | 'bytes' | 'count';

/** One measured thing. What is smaller is better. */
export interface Figure {
  readonly what: string;
  readonly unit: Unit;
  readonly agent: number;
  /** The same work done by what a user would use instead; null where nothing does it. */
  readonly instead: number | null;
  /** `ratio`: instead ÷ agent is to be at least this. `most`: the agent's own figure is to be at most this, in its unit. */
  readonly aim: { readonly kind: 'ratio' | 'most'; readonly value: number } | null;
}

export interface CaseReport {
  readonly number: number;
  readonly title: string;
  /** What a user would use instead, as they would write it. */
  readonly instead: string;
  readonly figures: readonly Figure[];
  readonly notes: readonly string[];
}

export const MIB = 1_048_576;

/** How much faster or smaller than what a user would use instead: 2 means half as much. */
export function ratioOf({ agent, instead }: Figure): number | null {
  if (instead === null) return null;
  return agent === 0 ? (instead === 0 ? 1 : Number.POSITIVE_INFINITY) : instead / agent;
}

function isMet(figure: Figure): boolean | null {
  if (figure.aim === null) return null;
  return figure.aim.kind === 'most'
    ? figure.agent <= figure.aim.value
    : (ratioOf(figure) ?? 0) >= figure.aim.value;
}

const HEADS = ['', 'edge-agent', 'instead', 'ratio', 'aim', ''];

/** A table for people, as Markdown that also reads well in a terminal. */
export function renderCase(report: CaseReport): string {
  const rows = report.figures.map((figure) => [
    figure.what,
    shown(figure.agent, figure.unit),
    figure.instead === null ? '' : shown(figure.instead, figure.unit),
    shownRatio(ratioOf(figure)),
    shownAim(figure),
    { true: 'met', false: 'MISSED', null: '' }[String(isMet(figure)) as 'true' | 'false' | 'null'],
  ]);
  const widths = HEADS.map((head, column) =>
    Math.max(3, head.length, ...rows.map((row) => (row[column] ?? '').length)),
  );
  const line = (cells: readonly string[]) => {
    const padded = cells.map((cell, column) =>
      column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
    );
    return `| ${padded.join(' | ')} |`;
  };
  const rule = `| ${widths.map((width, column) => (column === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`)).join(' | ')} |`;
  return [
    `## ${report.number}. ${report.title}`,
    '',
    `Instead: ${report.instead}`,
    '',
    line(HEADS),
    rule,
    ...rows.map(line),
    '',
    ...report.notes.map((note) => `- ${note}`),
    '',
  ].join('\n');
}

function shown(value: number, unit: Unit): string {
  switch (unit) {
    case 'ms':
      return value >= 10_000 ? `${(value / 1_000).toFixed(1)} s` : `${value.toFixed(value < 10 ? 1 : 0)} ms`;
    case 'bytes':
      if (value >= MIB) return `${(value / MIB).toFixed(1)} MiB`;
      return value >= 1_024 ? `${(value / 1_024).toFixed(1)} KiB` : `${value.toFixed(0)} B`;
    case 'count':
      return String(Math.round(value * 100) / 100);
  }
}

function shownRatio(ratio: number | null): string {
  if (ratio === null) return '';
  return ratio === Number.POSITIVE_INFINITY ? '∞' : `${ratio.toFixed(ratio < 10 ? 2 : 0)}×`;
}

function shownAim({ aim, unit }: Figure): string {
  if (aim === null) return '';
  return aim.kind === 'ratio' ? `≥ ${aim.value.toFixed(1)}×` : `≤ ${shown(aim.value, unit)}`;
}
