import type { AuditEntry } from './audit.ts';

/** A tenant's trigger key as it is kept: sealed (console/actions/sealed-key.ts), known by its thumbprint. */
export interface TriggerKeyRecord {
  readonly tenant: string;
  /** RFC 7638 thumbprint of the key. */
  readonly kid: string;
  readonly sealed: string;
  readonly added_at: string;
  readonly added_by: string;
}

/** At most one key a tenant. What is done and the row of the audit that tells of it are one step. */
export interface TriggerKeyStore {
  /** In the place of the one before. The tenant must exist. */
  put(key: TriggerKeyRecord, told: AuditEntry): Promise<void>;
  get(tenant: string): Promise<TriggerKeyRecord | null>;
  /** False, and nothing is told, when there was none. */
  remove(tenant: string, told: AuditEntry, at: Date): Promise<boolean>;
  list(): Promise<TriggerKeyRecord[]>;
}
