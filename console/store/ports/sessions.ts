import type { AuditEntry } from './audit.ts';
import type { PersonRecord } from './people.ts';

export interface SessionRecord {
  /** `hashOf` what the cookie holds. */
  readonly token_hash: string;
  readonly created_at: string;
  /** To a minute. */
  readonly used_at: string;
  readonly person: PersonRecord;
}

/** Who has signed in, and where. How long a session lasts is for the caller to say. */
export interface SessionStore {
  /**
   * Of a person whose password (its stored form) is still `password`; null when it is not, or the person is gone. Of one person
   * the `keep` newest are kept.
   */
  open(
    session: { readonly token_hash: string; readonly person_id: string; readonly password: string },
    at: Date,
    keep: number,
    told: AuditEntry | null,
  ): Promise<SessionRecord | null>;
  byHash(tokenHash: string): Promise<SessionRecord | null>;
  used(tokenHash: string, at: Date): Promise<void>;
  close(tokenHash: string, at: Date, told: AuditEntry): Promise<void>;
  /** Forgets those last used, or begun, before so long; how many. */
  prune(usedBefore: Date, createdBefore: Date): Promise<number>;
}
