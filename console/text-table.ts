const CELL_MAX_CHARACTERS = 100;

/** Columns of text for a terminal, headed by their names. Control characters of what agents sent are not printed. */
export function table<Row extends object>(
  rows: readonly Row[],
  columns: readonly (keyof Row & string)[],
): string {
  if (rows.length === 0) return 'none';
  const cells = rows.map((row) => columns.map((column) => cell(row[column])));
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

function cell(value: unknown): string {
  if (value === null || value === undefined) return '-';
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return text.replace(/\p{Cc}/gu, ' ').slice(0, CELL_MAX_CHARACTERS);
}
