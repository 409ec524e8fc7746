import type { EnrolmentToken } from '../schemas/enrolment.ts';
import type { ConsoleDatabase } from './database.ts';
import type { AuditEntry } from './store/ports/audit.ts';
import { type TenantScope, tenantList } from './store/ports/tenant-scope.ts';
import { insertAudit } from './store/sqlite/audit.ts';

/** What is known of a token that was made here; the token itself is kept nowhere. */
export interface TokenRecord {
  readonly token_id: string;
  readonly tenant: string;
  readonly made_at: string;
  readonly expires_at: string;
  readonly state: 'open' | 'used' | 'expired' | 'revoked';
  /** Whom it made an agent. */
  readonly agent_id: string | null;
}

export interface TokenRecords {
  /** What is done and the row of the audit that tells of it are one step. */
  made(token: EnrolmentToken, at: Date, told: AuditEntry): Promise<void>;
  get(jti: string): Promise<TokenRecord | null>;
  /** Null when there is no such token. One that has served keeps the agent it made. The first time counts, and is told of. */
  revoke(jti: string, at: Date, told: (token: TokenRecord) => AuditEntry): Promise<TokenRecord | null>;
  /** Newest first. */
  list(filter: { tenants: TenantScope; limit: number }): Promise<TokenRecord[]>;
  /** Forgets tokens that expired 30 days ago. */
  prune(now: Date): Promise<number>;
}

interface Row {
  jti: string;
  slug: string;
  made_at: string;
  expires_at: number;
  revoked_at: string | null;
  used_by: string | null;
}

export function createTokenRecords(database: ConsoleDatabase, now: () => Date): TokenRecords {
  const { prepare, write } = database;
  const select = `SELECT t.jti, t.slug, t.made_at, t.expires_at, t.revoked_at, t.used_by FROM (
    SELECT enrolment_tokens.*, enrolments.agent_id AS used_by FROM enrolment_tokens LEFT JOIN enrolments USING (jti)) t`;
  const shown = (row: Row): TokenRecord => {
    const expired = row.expires_at * 1_000 <= now().getTime();
    const open = expired ? 'expired' : 'open';
    const used = row.used_by === null ? open : 'used';
    return {
      token_id: row.jti,
      tenant: row.slug,
      made_at: row.made_at,
      expires_at: new Date(row.expires_at * 1_000).toISOString(),
      state: row.revoked_at === null ? used : 'revoked',
      agent_id: row.used_by,
    };
  };
  const find = (jti: string) => prepare(`${select} WHERE t.jti = ?`).get(jti) as unknown as Row | undefined;
  const get = (jti: string) => {
    const row = find(jti);
    return row === undefined ? null : shown(row);
  };
  return {
    get: async (jti) => get(jti),
    made: ({ jti, tenant, exp }, at, told) =>
      write(() => {
        prepare('INSERT INTO enrolment_tokens (jti, slug, made_at, expires_at) VALUES (?, ?, ?, ?)').run(
          jti,
          tenant,
          at.toISOString(),
          exp,
        );
        insertAudit(database, told, at);
      }),
    revoke: (jti, at, told) =>
      write(() => {
        const done = prepare(
          'UPDATE enrolment_tokens SET revoked_at = ? WHERE jti = ? AND revoked_at IS NULL',
        ).run(at.toISOString(), jti);
        const token = get(jti);
        if (token !== null && done.changes > 0) insertAudit(database, told(token), at);
        return token;
      }),
    list: async ({ tenants, limit }) =>
      (
        prepare(
          `${select} WHERE (:tenants IS NULL OR t.slug IN (SELECT value FROM json_each(:tenants))) ORDER BY t.made_at DESC, t.jti DESC LIMIT :limit`,
        ).all({ tenants: tenantList(tenants), limit }) as unknown as Row[]
      ).map(shown),
    prune: (at) =>
      write(() => {
        const before = Math.floor(at.getTime() / 1_000) - 30 * 86_400;
        return Number(prepare('DELETE FROM enrolment_tokens WHERE expires_at < ?').run(before).changes);
      }),
  };
}

/** For the works of other stores. */
export function isTokenRevoked({ prepare }: Pick<ConsoleDatabase, 'prepare'>, jti: string): boolean {
  const find = 'SELECT 1 FROM enrolment_tokens WHERE jti = ? AND revoked_at IS NOT NULL';
  return prepare(find).get(jti) !== undefined;
}
