import { backup, DatabaseSync } from 'node:sqlite';
import type { DatabaseFacts } from '../ports/database-file.ts';

/** A copy of a database that others go on writing to: all of one moment. `to` is made. */
export async function copyDatabase(path: string, to: string): Promise<void> {
  const sql = new DatabaseSync(path, { readOnly: true, timeout: 10_000 });
  try {
    // All pages in one step: with more, every write in between makes it begin again.
    await backup(sql, to, { rate: 2 ** 31 - 1 });
  } finally {
    sql.close();
  }
  const copy = new DatabaseSync(to);
  // One file alone; whoever opens it as a console's turns the log on again.
  copy.exec('PRAGMA journal_mode = DELETE');
  copy.close();
}

/** What is in a database that nobody writes to. Throws when it is not sound. */
export function factsOf(path: string): DatabaseFacts {
  const sql = new DatabaseSync(path, { readOnly: true });
  try {
    const { integrity_check: found } = sql.prepare('PRAGMA integrity_check(1)').get() as {
      integrity_check: string;
    };
    if (found !== 'ok') throw new Error(`expected a sound database in ${path}, found: ${found}`);
    const { user_version: version } = sql.prepare('PRAGMA user_version').get() as { user_version: number };
    const tables = sql
      .prepare(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name",
      )
      .all() as { name: string }[];
    const counts = tables.map(({ name }) => {
      const { n } = sql.prepare(`SELECT count(*) AS n FROM "${name}"`).get() as { n: number };
      return [name, n] as const;
    });
    const url = sql.prepare("SELECT value FROM settings WHERE name = 'public_url'").get() as
      | { value: string }
      | undefined;
    return { version, publicUrl: url?.value ?? null, counts: Object.fromEntries(counts) };
  } finally {
    sql.close();
  }
}
