/** How often the secret of a tenant's webhook was renewed; the secret follows from it. */
export interface TenantHookRows {
  /** The next generation, 1 at first. The tenant must exist. */
  renew(slug: string, at: Date): Promise<number>;
  /** Null while the tenant has none. */
  generation(slug: string): Promise<number | null>;
}
