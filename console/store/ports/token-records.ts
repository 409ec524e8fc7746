import type { EnrolmentToken } from '../../../schemas/enrolment.ts';
import type { AuditEntry } from './audit.ts';
import type { TenantScope } from './tenant-scope.ts';

/** What is known of a token that was made here; the token itself is kept nowhere. */
export interface TokenRecord {
  readonly token_id: string;
  readonly tenant: string;
  readonly made_at: string;
  /** As the audit has it; null for those of before this was written down. */
  readonly made_by: string | null;
  readonly expires_at: string;
  readonly state: TokenState;
  /** Whom it made an agent. */
  readonly agent_id: string | null;
  readonly hostname: string | null;
}

export type TokenState = 'open' | 'used' | 'expired' | 'revoked';

export interface TokenRecords {
  /** What is done and the row of the audit that tells of it are one step. */
  made(token: EnrolmentToken, at: Date, told: AuditEntry): Promise<void>;
  get(jti: string): Promise<TokenRecord | null>;
  /** Null when there is no such token. One that has served keeps the agent it made. The first time counts, and is told of. */
  revoke(jti: string, at: Date, told: (token: TokenRecord) => AuditEntry): Promise<TokenRecord | null>;
  /** Newest first. */
  list(filter: {
    tenants: TenantScope;
    states?: readonly TokenState[] | undefined;
    limit: number;
  }): Promise<TokenRecord[]>;
  /** Forgets tokens that expired 30 days ago. */
  prune(now: Date): Promise<number>;
}
