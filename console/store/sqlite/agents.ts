import type { PublicJwk } from '../../../schemas/jws.ts';
import { hashOf } from '../../secrets.ts';
import type { Agent, AgentDescription, AgentStore } from '../ports/agents.ts';
import { tenantList } from '../ports/tenant-scope.ts';
import { insertAudit } from './audit.ts';
import { dropCommands } from './command-endings.ts';
import type { ConsoleDatabase } from './database.ts';
import { noteRunsLost } from './run-index-writes.ts';

const SEEN = 'UPDATE agents SET last_seen_at = ? WHERE agent_id = ?';

const COLUMNS = `agent_id, slug AS tenant, thumbprint, device_jwk, hostname, os, arch, agent_version,
  enrolled_at, last_seen_at, key_since, rotation_asked_at, revoked_at, revoked_by, revoked_why`;

export function createAgentStore(database: ConsoleDatabase): AgentStore {
  const { prepare, write } = database;
  return {
    get: async (agentId) => agentBy(database, 'agent_id', agentId),
    byGitToken: async (token) => agentBy(database, 'git_token_hash', hashOf(token)),
    async list(tenants) {
      const rows = prepare(
        `SELECT ${COLUMNS} FROM agents WHERE :tenants IS NULL OR slug IN (SELECT value FROM json_each(:tenants))
         ORDER BY slug, enrolled_at, agent_id`,
      ).all({ tenants: tenantList(tenants) });
      return rows.flatMap((row) => one(row) ?? []);
    },
    save: (agent, gitToken) => write(() => saveAgent(database, agent, gitToken)),
    seen: (agentId, at) => write(() => void prepare(SEEN).run(at.toISOString(), agentId)),
    seenAll: (agentIds, at) =>
      write(() => {
        for (const agentId of agentIds) prepare(SEEN).run(at.toISOString(), agentId);
      }),
    revokedIds: async () =>
      (
        prepare('SELECT agent_id FROM agents WHERE revoked_at IS NOT NULL').all() as { agent_id: string }[]
      ).map(({ agent_id }) => agent_id),
    revoke: (agentId, at, { by, why }, told) =>
      write(() => {
        const agent = agentBy(database, 'agent_id', agentId);
        if (agent === null) return 'unknown';
        if (agent.revoked_at !== null) return 'already';
        prepare('UPDATE agents SET revoked_at = ?, revoked_by = ?, revoked_why = ? WHERE agent_id = ?').run(
          at.toISOString(),
          by,
          why,
          agentId,
        );
        const gone = by === 'agent' ? 'the agent unenrolled itself' : 'the agent was revoked';
        const dropped = dropCommands(database, agentId, gone, at);
        const because = why === null || why === '' ? gone : `${gone} (${why})`;
        noteRunsLost(database, agentId, `agent_revoked: ${because}`, at);
        insertAudit(database, told({ tenant: agent.tenant, dropped }), at);
        return 'revoked';
      }),
    askRotation: (agentId, at, told) =>
      write(() => {
        const agent = agentBy(database, 'agent_id', agentId);
        if (agent === null || agent.revoked_at !== null) return false;
        prepare('UPDATE agents SET rotation_asked_at = ? WHERE agent_id = ?').run(at.toISOString(), agentId);
        insertAudit(database, told({ tenant: agent.tenant }), at);
        return true;
      }),
  };
}

/** For the works of other stores. */
export function agentBy(
  { prepare }: Pick<ConsoleDatabase, 'prepare'>,
  column: 'agent_id' | 'thumbprint' | 'git_token_hash',
  value: string,
): Agent | null {
  return one(prepare(`SELECT ${COLUMNS} FROM agents WHERE ${column} = ?`).get(value));
}

/** For the works of other stores. Inserts, or (the same device enrolled again) renews its description and git token. */
export function saveAgent(
  { prepare }: Pick<ConsoleDatabase, 'prepare'>,
  agent: AgentDescription,
  gitToken: string,
): void {
  prepare(
    `INSERT INTO agents (agent_id, slug, thumbprint, device_jwk, git_token_hash, hostname, os, arch, agent_version, enrolled_at)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT (agent_id) DO UPDATE SET git_token_hash = excluded.git_token_hash, hostname = excluded.hostname,
       os = excluded.os, arch = excluded.arch, agent_version = excluded.agent_version`,
  ).run(
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
}

/** For the works of other stores. */
export function setGitToken(
  { prepare }: Pick<ConsoleDatabase, 'prepare'>,
  agentId: string,
  gitToken: string,
): void {
  prepare('UPDATE agents SET git_token_hash = ? WHERE agent_id = ?').run(hashOf(gitToken), agentId);
}

function one(row: unknown): Agent | null {
  if (row === undefined) return null;
  // In place: a row is nobody else's, and one is read for every call.
  const found = row as { device_jwk: unknown };
  found.device_jwk = JSON.parse(found.device_jwk as string) as PublicJwk;
  return found as Agent;
}
