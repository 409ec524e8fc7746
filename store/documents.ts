import type { StateDocuments } from '../reconciler/ports.ts';
import type { Database } from './database.ts';

const REMEMBERED_MAX_LENGTH = 16_384;

/**
 * Small JSON documents of the agent's own state in `agent.db`, by key (`trust/memory`, `flow/invoice-bot`).
 * What `list` gives is shared between calls: not to be changed. `read` gives null for a key that is not there. Throws `TypeError` for a value that is no JSON (undefined, a cycle).
 */
export function createStateDocuments(database: Database): StateDocuments {
  const { sqlite, transaction, afterCommit } = database;
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

  /** By key: what a listed text was parsed to, so that a thousand flows are not parsed again for every look at them. */
  const listed = new Map<string, { readonly text: string; readonly value: unknown }>();
  const parseListed = (key: string, text: string): unknown => {
    const known = listed.get(key);
    if (known?.text === text) return known.value;
    const value: unknown = JSON.parse(text);
    if (text.length <= REMEMBERED_MAX_LENGTH) listed.set(key, { text, value });
    return value;
  };

  return {
    transaction,
    afterCommit,
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
      listed.delete(key);
    },
    list(prefix) {
      return selectPrefix.all({ prefix }).map((row) => ({
        key: String(row['key']),
        value: parseListed(String(row['key']), String(row['value'])),
      }));
    },
  };
}
