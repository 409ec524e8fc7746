import type { TenantHookRows } from '../ports/tenant-hooks.ts';
import type { ConsoleDatabase } from './database.ts';

export function createTenantHookRows({ prepare, write }: ConsoleDatabase): TenantHookRows {
  return {
    renew: (slug, at) =>
      write(() => {
        const row = prepare(
          `INSERT INTO tenant_hooks (slug, generation, created_at) VALUES (?, 1, ?)
           ON CONFLICT DO UPDATE SET generation = generation + 1, created_at = excluded.created_at RETURNING generation`,
        ).get(slug, at.toISOString()) as { generation: number };
        return row.generation;
      }),
    async generation(slug) {
      const row = prepare('SELECT generation FROM tenant_hooks WHERE slug = ?').get(slug) as
        | { generation: number }
        | undefined;
      return row?.generation ?? null;
    },
  };
}
