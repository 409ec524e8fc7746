import type { PublicJwk } from '../schemas/jws.ts';
import type { ConsoleDatabase } from './database.ts';
import { hashOf } from './secrets.ts';
import { type TenantScope, tenantList } from './store/ports/tenant-scope.ts';

export interface Agent {
  readonly agent_id: string;
  readonly tenant: string;
  readonly thumbprint: string;
  readonly device_jwk: PublicJwk;
  readonly hostname: string;
  readonly os: string;
  readonly arch: string;
  readonly agent_version: string;
  readonly enrolled_at: string;
  readonly last_seen_at: string | null;
  /** Since when its key is in force, when it was changed after the enrolment. */
  readonly key_since: string | null;
  /** Somebody asked it to change its key. */
  readonly rotation_asked_at: string | null;
  readonly revoked_at: string | null;
  /** `agent` when it unenrolled itself. */
  readonly revoked_by: string | null;
  readonly revoked_why: string | null;
}

/** What enrolment says of an agent. */
export type AgentDescription = Pick<
  Agent,
  | 'agent_id'
  | 'tenant'
  | 'thumbprint'
  | 'device_jwk'
  | 'hostname'
  | 'os'
  | 'arch'
  | 'agent_version'
  | 'enrolled_at'
>;

export interface Revocation {
  readonly by: string;
  readonly why: string | null;
}

export interface AgentStore {
  get(agentId: string): Agent | null;
  byThumbprint(thumbprint: string): Agent | null;
  byGitToken(token: string): Agent | null;
  list(tenants?: TenantScope): Agent[];
  /** Inserts, or (the same device enrolled again) renews its description and git token. */
  save(agent: AgentDescription, gitToken: string): void;
  setGitToken(agentId: string, gitToken: string): void;
  seen(agentId: string, at: Date): void;
  seenAll(agentIds: readonly string[], at: Date): void;
  /** From now on nothing the agent signs or holds is taken. The first revocation counts. */
  revoke(agentId: string, at: Date, revocation: Revocation): 'revoked' | 'already' | 'unknown';
  askRotation(agentId: string, at: Date): void;
  revokedIds(): string[];
}

export function createAgentStore({ sql, transaction }: ConsoleDatabase): AgentStore {
  const select = `SELECT agent_id, slug AS tenant, thumbprint, device_jwk, hostname, os, arch, agent_version,
    enrolled_at, last_seen_at, key_since, rotation_asked_at, revoked_at, revoked_by, revoked_why FROM agents`;
  const find = (where: string, value: string) => one(sql.prepare(`${select} WHERE ${where} = ?`).get(value));
  return {
    get: (agentId) => find('agent_id', agentId),
    byThumbprint: (thumbprint) => find('thumbprint', thumbprint),
    byGitToken: (token) => find('git_token_hash', hashOf(token)),
    list(tenants) {
      const rows = sql
        .prepare(
          `${select} WHERE :tenants IS NULL OR slug IN (SELECT value FROM json_each(:tenants))
             ORDER BY slug, enrolled_at, agent_id`,
        )
        .all({ tenants: tenantList(tenants) });
      return rows.flatMap((row) => one(row) ?? []);
    },
    save(agent, gitToken) {
      sql
        .prepare(
          `INSERT INTO agents (agent_id, slug, thumbprint, device_jwk, git_token_hash, hostname, os, arch, agent_version, enrolled_at)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
           ON CONFLICT (agent_id) DO UPDATE SET git_token_hash = excluded.git_token_hash, hostname = excluded.hostname,
             os = excluded.os, arch = excluded.arch, agent_version = excluded.agent_version`,
        )
        .run(
          agent.agent_id,
          agent.tenant,
          agent.thumbprint,
          JSON.stringify(agent.device_jwk),
          hashOf(gitToken),
          agent.hostname,
          agent.os,
          agent.arch,
          agent.agent_version,
          agent.enrolled_at,
        );
    },
    setGitToken(agentId, gitToken) {
      sql.prepare('UPDATE agents SET git_token_hash = ? WHERE agent_id = ?').run(hashOf(gitToken), agentId);
    },
    seen(agentId, at) {
      sql.prepare('UPDATE agents SET last_seen_at = ? WHERE agent_id = ?').run(at.toISOString(), agentId);
    },
    seenAll(agentIds, at) {
      const update = sql.prepare('UPDATE agents SET last_seen_at = ? WHERE agent_id = ?');
      transaction(() => {
        for (const agentId of agentIds) update.run(at.toISOString(), agentId);
      });
    },
    revokedIds: () =>
      (
        sql.prepare('SELECT agent_id FROM agents WHERE revoked_at IS NOT NULL').all() as {
          agent_id: string;
        }[]
      ).map(({ agent_id }) => agent_id),
    revoke(agentId, at, { by, why }) {
      const done = sql
        .prepare(
          'UPDATE agents SET revoked_at = ?, revoked_by = ?, revoked_why = ? WHERE agent_id = ? AND revoked_at IS NULL',
        )
        .run(at.toISOString(), by, why, agentId);
      if (done.changes > 0) return 'revoked';
      return find('agent_id', agentId) === null ? 'unknown' : 'already';
    },
    askRotation(agentId, at) {
      sql
        .prepare('UPDATE agents SET rotation_asked_at = ? WHERE agent_id = ?')
        .run(at.toISOString(), agentId);
    },
  };
}

function one(row: unknown): Agent | null {
  if (row === undefined) return null;
  const found = row as Omit<Agent, 'device_jwk'> & { device_jwk: string };
  return { ...found, device_jwk: JSON.parse(found.device_jwk) as PublicJwk };
}
