import type { EnrolmentToken } from '../schemas/enrolment.ts';
import type { ConsoleDatabase } from './database.ts';
import { type TenantScope, tenantList } from './store/ports/tenant-scope.ts';

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
  made(token: EnrolmentToken, at: Date): void;
  get(jti: string): TokenRecord | null;
  /** Null when there is no such token. One that has served keeps the agent it made. */
  revoke(jti: string, at: Date): TokenRecord | null;
  isRevoked(jti: string): boolean;
  /** Newest first. */
  list(filter: { tenants: TenantScope; limit: number }): TokenRecord[];
  /** Forgets tokens that expired 30 days ago. */
  prune(now: Date): number;
}

interface Row {
  jti: string;
  slug: string;
  made_at: string;
  expires_at: number;
  revoked_at: string | null;
  used_by: string | null;
}

export function createTokenRecords({ sql }: ConsoleDatabase, now: () => Date): TokenRecords {
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
  const find = (jti: string) =>
    sql.prepare(`${select} WHERE t.jti = ?`).get(jti) as unknown as Row | undefined;
  const get = (jti: string) => {
    const row = find(jti);
    return row === undefined ? null : shown(row);
  };
  return {
    get,
    made({ jti, tenant, exp }, at) {
      sql
        .prepare('INSERT INTO enrolment_tokens (jti, slug, made_at, expires_at) VALUES (?, ?, ?, ?)')
        .run(jti, tenant, at.toISOString(), exp);
    },
    revoke(jti, at) {
      sql
        .prepare('UPDATE enrolment_tokens SET revoked_at = coalesce(revoked_at, ?) WHERE jti = ?')
        .run(at.toISOString(), jti);
      return get(jti);
    },
    isRevoked: (jti) => find(jti)?.revoked_at != null,
    list: ({ tenants, limit }) =>
      (
        sql
          .prepare(
            `${select} WHERE (:tenants IS NULL OR t.slug IN (SELECT value FROM json_each(:tenants))) ORDER BY t.made_at DESC, t.jti DESC LIMIT :limit`,
          )
          .all({ tenants: tenantList(tenants), limit }) as unknown as Row[]
      ).map(shown),
    prune(at) {
      const before = Math.floor(at.getTime() / 1_000) - 30 * 86_400;
      return Number(sql.prepare('DELETE FROM enrolment_tokens WHERE expires_at < ?').run(before).changes);
    },
  };
}
