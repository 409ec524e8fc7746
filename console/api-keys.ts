import type { ConsoleDatabase } from './database.ts';
import { hashOf, newToken } from './secrets.ts';

/** Keys of the read API: the operator's, so they see every tenant. */
export interface ApiKeyStore {
  /** The key itself is not kept. */
  create(label: string): string;
  holds(key: string): boolean;
  count(): number;
}

export function createApiKeyStore({ sql }: ConsoleDatabase, now: () => Date): ApiKeyStore {
  return {
    create(label) {
      const key = newToken('eka');
      sql
        .prepare('INSERT INTO api_keys (hash, label, created_at) VALUES (?, ?, ?)')
        .run(hashOf(key), label, now().toISOString());
      return key;
    },
    holds: (key) => sql.prepare('SELECT 1 FROM api_keys WHERE hash = ?').get(hashOf(key)) !== undefined,
    count: () => (sql.prepare('SELECT count(*) AS n FROM api_keys').get() as { n: number }).n,
  };
}
