import type { StateDocuments } from '../reconciler/ports.ts';
import type { Database } from './database.ts';

/**
 * Small JSON documents of the agent's own state in `agent.db`, by key (`trust/memory`, `flow/invoice-bot`).
 * `read` gives null for a key that is not there. Throws `TypeError` for a value that is no JSON (undefined, a cycle).
 */
export function createStateDocuments(database: Database): StateDocuments {
  const { sqlite, transaction } = database;
  const select = sqlite.prepare('SELECT value FROM documents WHERE key = ?');
  // What is written again as it was costs no page of the disk.
  const upsert = sqlite.prepare(
    `INSERT INTO documents (key, value) VALUES (?, ?)
     ON CONFLICT (key) DO UPDATE SET value = excluded.value WHERE value <> excluded.value`,
  );
  const remove = sqlite.prepare('DELETE FROM documents WHERE key = ?');
  // substr, not LIKE: `%` and `_` in a prefix mean themselves. Keys are compared by code point, as BINARY orders UTF-8;
  // `key >= prefix` lets the index skip what comes before.
  const selectPrefix = sqlite.prepare(
    'SELECT key, value FROM documents WHERE key >= :prefix AND substr(key, 1, length(:prefix)) = :prefix ORDER BY key',
  );

  return {
    transaction,
    read(key) {
      const row = select.get(key);
      return row === undefined ? null : JSON.parse(String(row['value']));
    },
    write(key, value) {
      const text: string | undefined = JSON.stringify(value);
      if (text === undefined) throw new TypeError(`expected a JSON value for ${key}, found ${typeof value}`);
      upsert.run(key, text);
    },
    delete(key) {
      remove.run(key);
    },
    list(prefix) {
      return selectPrefix
        .all({ prefix })
        .map((row) => ({ key: String(row['key']), value: JSON.parse(String(row['value'])) }));
    },
  };
}
