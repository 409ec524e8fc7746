import { existsSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';

/** Without a migration, and without a journal of its own: whoever only looks writes nothing. */
function look<T>(path: string, work: (sqlite: DatabaseSync) => T): T | undefined {
  if (!existsSync(path)) return undefined;
  const sqlite = new DatabaseSync(path, { readOnly: true, timeout: 2_000 });
  try {
    return work(sqlite);
  } finally {
    sqlite.close();
  }
}

/** A document of agent.db; undefined when there is no database, or none of that key. Throws what SQLite throws. */
export function readDocument(path: string, key: string): unknown {
  const row = look(path, (sqlite) => sqlite.prepare('SELECT value FROM documents WHERE key = ?').get(key));
  return row === undefined ? undefined : (JSON.parse(String(row['value'])) as unknown);
}

/** What SQLite's own check of its pages says: `ok`, or the first faults. Undefined when there is no database. */
export function quickCheck(path: string): string | undefined {
  return look(path, (sqlite) => {
    const rows = sqlite.prepare('PRAGMA quick_check(5)').all();
    return rows.map((row) => String(Object.values(row)[0])).join('; ');
  });
}
