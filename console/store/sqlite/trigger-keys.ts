import type { TriggerKeyRecord, TriggerKeyStore } from '../ports/trigger-keys.ts';
import { insertAudit } from './audit.ts';
import type { ConsoleDatabase } from './database.ts';

export function createTriggerKeyStore(database: ConsoleDatabase): TriggerKeyStore {
  const { prepare } = database;
  const columns = 'slug AS tenant, kid, sealed, added_at, added_by';
  return {
    put: async ({ tenant, kid, sealed, added_at, added_by }, told) =>
      database.write(() => {
        prepare(
          `INSERT INTO trigger_keys (slug, kid, sealed, added_at, added_by) VALUES (?, ?, ?, ?, ?)
           ON CONFLICT (slug) DO UPDATE SET kid = excluded.kid, sealed = excluded.sealed,
             added_at = excluded.added_at, added_by = excluded.added_by`,
        ).run(tenant, kid, sealed, added_at, added_by);
        insertAudit(database, told, new Date(added_at));
      }),
    async get(tenant) {
      const row = prepare(`SELECT ${columns} FROM trigger_keys WHERE slug = ?`).get(tenant);
      return (row as unknown as TriggerKeyRecord | undefined) ?? null;
    },
    remove: async (tenant, told, at) =>
      database.write(() => {
        const gone = prepare('DELETE FROM trigger_keys WHERE slug = ?').run(tenant).changes > 0;
        if (gone) insertAudit(database, told, at);
        return gone;
      }),
    list: async () =>
      prepare(`SELECT ${columns} FROM trigger_keys ORDER BY slug`).all() as unknown as TriggerKeyRecord[],
  };
}
