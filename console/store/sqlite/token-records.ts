import { tenantList } from '../ports/tenant-scope.ts';
import type { TokenRecord, TokenRecords, TokenState } from '../ports/token-records.ts';
import { insertAudit } from './audit.ts';
import type { ConsoleDatabase } from './database.ts';

interface Row {
  jti: string;
  slug: string;
  made_at: string;
  made_by: string | null;
  expires_at: number;
  state: TokenState;
  used_by: string | null;
  hostname: string | null;
  revoked_at: string | null;
}

export function createTokenRecords(database: ConsoleDatabase, now: () => Date): TokenRecords {
  const { prepare, write } = database;
  // The answer of an enrolment is forgotten when its token expires; whom the token served is not.
  const select = `SELECT t.*, agents.hostname, CASE WHEN t.revoked_at IS NOT NULL THEN 'revoked' WHEN used_by IS NOT NULL THEN 'used'
      WHEN t.expires_at * 1000 <= :now THEN 'expired' ELSE 'open' END AS state
    FROM (SELECT tokens.jti, tokens.slug, tokens.made_at, tokens.made_by, tokens.expires_at, tokens.revoked_at,
        coalesce(enrolments.agent_id, tokens.agent_id) AS used_by
      FROM enrolment_tokens AS tokens LEFT JOIN enrolments USING (jti)) AS t
    LEFT JOIN agents ON agents.agent_id = t.used_by`;
  const shown = (row: Row): TokenRecord => ({
    token_id: row.jti,
    tenant: row.slug,
    made_at: row.made_at,
    made_by: row.made_by,
    expires_at: new Date(row.expires_at * 1_000).toISOString(),
    state: row.state,
    agent_id: row.used_by,
    hostname: row.hostname,
  });
  const find = (jti: string) =>
    prepare(`${select} WHERE t.jti = :jti`).get({ jti, now: now().getTime() }) as unknown as Row | undefined;
  const get = (jti: string) => {
    const row = find(jti);
    return row === undefined ? null : shown(row);
  };
  return {
    get: async (jti) => get(jti),
    made: ({ jti, tenant, exp }, at, told) =>
      write(() => {
        prepare(
          'INSERT INTO enrolment_tokens (jti, slug, made_at, made_by, expires_at) VALUES (?, ?, ?, ?, ?)',
        ).run(jti, tenant, at.toISOString(), told.by, exp);
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
    list: async ({ tenants, states, limit }) =>
      (
        prepare(
          `SELECT * FROM (${select}) WHERE (:tenants IS NULL OR slug IN (SELECT value FROM json_each(:tenants)))
              AND (:states IS NULL OR state IN (SELECT value FROM json_each(:states)))
              ORDER BY made_at DESC, jti DESC LIMIT :limit`,
        ).all({
          now: now().getTime(),
          tenants: tenantList(tenants),
          states: states === undefined ? null : JSON.stringify(states),
          limit,
        }) as unknown as Row[]
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
