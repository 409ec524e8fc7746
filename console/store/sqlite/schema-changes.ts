import { DatabaseSync } from 'node:sqlite';

type Schema = ReadonlyMap<string, { readonly type: string; readonly columns: readonly string[] }>;

/** What the migrations after `from` change of the schema, one line each, tables first. */
export function schemaChanges(migrations: readonly string[], from: number): string[] {
  const sql = new DatabaseSync(':memory:');
  try {
    for (const step of migrations.slice(0, from)) sql.exec(step);
    const before = schemaOf(sql);
    for (const step of migrations.slice(from)) sql.exec(step);
    return compared(before, schemaOf(sql));
  } finally {
    sql.close();
  }
}

function schemaOf(sql: DatabaseSync): Schema {
  const objects = sql
    .prepare("SELECT type, name FROM sqlite_master WHERE name NOT LIKE 'sqlite_%' ORDER BY type DESC, name")
    .all() as { type: string; name: string }[];
  const columns = sql.prepare('SELECT name FROM pragma_table_xinfo(?)');
  return new Map(
    objects.map(({ type, name }) => [
      name,
      { type, columns: type === 'table' ? columns.all(name).map((row) => String(row['name'])) : [] },
    ]),
  );
}

function compared(before: Schema, after: Schema): string[] {
  const changes: string[] = [];
  for (const [name, { type, columns }] of after) {
    const known = before.get(name);
    if (known === undefined) {
      changes.push(`new ${type} ${name}`);
      continue;
    }
    const added = columns.filter((column) => !known.columns.includes(column));
    const gone = known.columns.filter((column) => !columns.includes(column));
    if (added.length > 0) changes.push(`${name}: new ${added.join(', ')}`);
    if (gone.length > 0) changes.push(`${name}: without ${gone.join(', ')}`);
  }
  for (const [name, { type }] of before) if (!after.has(name)) changes.push(`no ${type} ${name} any more`);
  return changes;
}
