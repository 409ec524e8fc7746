const CELL_MAX_CHARACTERS = 100;
/** Nothing stands behind the last column: a sentence is shown whole there. */
const LAST_CELL_MAX_CHARACTERS = 2_000;

/** Columns of text for a terminal, headed by their names. Control characters of what agents sent are not printed; `…` says that a cell was cut. */
export function table<Row extends object>(
  rows: readonly Row[],
  columns: readonly (keyof Row & string)[],
): string {
  if (rows.length === 0) return 'none';
  const cells = rows.map((row) =>
    columns.map((column, index) =>
      cell(row[column], index === columns.length - 1 ? LAST_CELL_MAX_CHARACTERS : CELL_MAX_CHARACTERS),
    ),
  );
  const lines = [columns.map((column) => column.toUpperCase()), ...cells];
  const widths = columns.map((_column, index) =>
    Math.max(...lines.map((line) => (line[index] ?? '').length)),
  );
  return lines
    .map((line) =>
      line
        .map((text, index) => text.padEnd(widths[index] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

function cell(value: unknown, max: number): string {
  if (value === null || value === undefined) return '-';
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  const clean = text.replace(/\p{Cc}/gu, ' ');
  return clean.length <= max ? clean : `${clean.slice(0, max - 1)}…`;
}
