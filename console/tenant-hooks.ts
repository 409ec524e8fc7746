import type { ConsoleSecrets } from './secrets.ts';
import type { TenantHookRows } from './store/ports/tenant-hooks.ts';

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
  rows: TenantHookRows,
  secrets: ConsoleSecrets,
  now: () => Date,
): TenantHooks {
  return {
    renew: async (slug) => secrets.hookSecret(slug, await rows.renew(slug, now())),
    async secret(slug) {
      const generation = await rows.generation(slug);
      return generation === null ? null : secrets.hookSecret(slug, generation);
    },
  };
}
