/** Whose rows a list shows: of the tenants with these slugs, or of every one there is. */
export type TenantScope = '*' | readonly string[];

/** For `:tenants IS NULL OR slug IN (SELECT value FROM json_each(:tenants))`. */
export function tenantList(scope: TenantScope = '*'): string | null {
  return scope === '*' ? null : JSON.stringify(scope);
}
