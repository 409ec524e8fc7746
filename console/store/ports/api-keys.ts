import type { Grant } from '../../../schemas/console/people.ts';
import type { Decision } from './askers.ts';

/** What is kept of a key of the API: all but the key. */
export interface ApiKeyRecord {
  readonly key_id: string;
  readonly label: string;
  readonly grants: readonly Grant[];
  /** Null for keys of before this was written down. */
  readonly created_by: string | null;
  readonly created_at: string;
  readonly last_used_at: string | null;
  readonly expires_at: string | null;
  readonly revoked_at: string | null;
}

export interface NewApiKey {
  readonly key_id: string;
  /** `hashOf` the key (console/secrets.ts). */
  readonly hash: string;
  readonly label: string;
  readonly grants: readonly Grant[];
  readonly created_by: string;
  readonly created_at: string;
  readonly expires_at: string | null;
}

/** Keys of the API. Whether one is still in force is for the caller to say: expired and revoked ones are found, too. */
export interface ApiKeyStore {
  /** What is done and the row of the audit that tells of it are one step. */
  add(key: NewApiKey, decision: Decision<NewApiKey>): Promise<void>;
  byHash(hash: string): Promise<ApiKeyRecord | null>;
  get(keyId: string): Promise<ApiKeyRecord | null>;
  /** Newest first, revoked ones as well. */
  list(): Promise<ApiKeyRecord[]>;
  used(keyId: string, at: Date): Promise<void>;
  /** The first time counts, and is told of. Null when there is no such key. */
  revoke(keyId: string, at: Date, decision: Decision<ApiKeyRecord>): Promise<ApiKeyRecord | null>;
  count(): Promise<number>;
}
