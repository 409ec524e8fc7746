import type { Grant } from '../../../schemas/console/people.ts';
import type { ApiKeyRecord, ApiKeyStore } from '../ports/api-keys.ts';
import { askerGrants } from './askers.ts';
import { insertAudit } from './audit.ts';
import type { ConsoleDatabase } from './database.ts';

const COLUMNS = 'key_id, label, created_by, created_at, last_used_at, expires_at, revoked_at';

export function createApiKeyStore(database: ConsoleDatabase): ApiKeyStore {
  const { prepare, write } = database;
  const grantsOf = prepare('SELECT tenant, role FROM api_key_grants WHERE key_id = ? ORDER BY tenant');
  const statements = {
    byHash: prepare(`SELECT ${COLUMNS} FROM api_keys WHERE hash = ?`),
    byId: prepare(`SELECT ${COLUMNS} FROM api_keys WHERE key_id = ?`),
    list: prepare(`SELECT ${COLUMNS} FROM api_keys ORDER BY created_at DESC, key_id DESC`),
    add: prepare(
      'INSERT INTO api_keys (key_id, hash, label, created_by, created_at, expires_at) VALUES (?, ?, ?, ?, ?, ?)',
    ),
    grant: prepare('INSERT INTO api_key_grants (key_id, tenant, role) VALUES (?, ?, ?)'),
    used: prepare('UPDATE api_keys SET last_used_at = ? WHERE key_id = ?'),
    revoke: prepare('UPDATE api_keys SET revoked_at = ? WHERE key_id = ? AND revoked_at IS NULL'),
    count: prepare('SELECT count(*) AS n FROM api_keys'),
  };
  const withGrants = (row: unknown): ApiKeyRecord | null => {
    if (row === undefined) return null;
    const record = row as Omit<ApiKeyRecord, 'grants'>;
    const grants = grantsOf.all(record.key_id).map((grant) => ({ ...grant }) as unknown as Grant);
    return { ...record, grants };
  };

  return {
    add: async (key, { asker, decide }) =>
      write(() => {
        const { key_id, hash, label, created_by, created_at, expires_at } = key;
        const { told } = decide(key, askerGrants(database, asker, new Date(created_at)));
        statements.add.run(key_id, hash, label, created_by, created_at, expires_at);
        for (const { tenant, role } of key.grants) statements.grant.run(key_id, tenant, role);
        insertAudit(database, told, new Date(created_at));
      }),
    byHash: async (hash) => withGrants(statements.byHash.get(hash)),
    get: async (keyId) => withGrants(statements.byId.get(keyId)),
    list: async () => statements.list.all().flatMap((row) => withGrants(row) ?? []),
    used: async (keyId, at) => write(() => void statements.used.run(at.toISOString(), keyId)),
    revoke: async (keyId, at, { asker, decide }) =>
      write(() => {
        const key = withGrants(statements.byId.get(keyId));
        if (key === null) return null;
        const { told } = decide(key, askerGrants(database, asker, at));
        if (statements.revoke.run(at.toISOString(), keyId).changes > 0) insertAudit(database, told, at);
        return withGrants(statements.byId.get(keyId));
      }),
    count: async () => (statements.count.get() as { n: number }).n,
  };
}
