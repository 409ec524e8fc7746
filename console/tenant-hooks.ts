import type { ConsoleSecrets } from './secrets.ts';
import type { ConsoleDatabase } from './store/sqlite/database.ts';

/**
 * The secret a forge signs its webhook with, one a tenant. It is derived from the console's master key and a number that
 * counts up: a secret that has to be known in full (it signs) lies nowhere in the database.
 */
export interface TenantHooks {
  /** A new secret; the one before is void. The tenant must exist. */
  renew(slug: string): Promise<string>;
  /** Null while the tenant has none. */
  secret(slug: string): Promise<string | null>;
}

export function createTenantHooks(
  { prepare, write }: ConsoleDatabase,
  secrets: ConsoleSecrets,
  now: () => Date,
): TenantHooks {
  return {
    renew: (slug) =>
      write(() => {
        const row = prepare(
          `INSERT INTO tenant_hooks (slug, generation, created_at) VALUES (?, 1, ?)
           ON CONFLICT DO UPDATE SET generation = generation + 1, created_at = excluded.created_at RETURNING generation`,
        ).get(slug, now().toISOString()) as { generation: number };
        return secrets.hookSecret(slug, row.generation);
      }),
    async secret(slug) {
      const row = prepare('SELECT generation FROM tenant_hooks WHERE slug = ?').get(slug) as
        | { generation: number }
        | undefined;
      return row === undefined ? null : secrets.hookSecret(slug, row.generation);
    },
  };
}
