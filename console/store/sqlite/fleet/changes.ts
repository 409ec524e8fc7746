import type { AgentChange } from '../../../../schemas/console/agent.ts';
import type { ChangeGroup } from '../../../../schemas/console/overview.ts';
import type { ConsoleDatabase } from '../../../database.ts';
import type { ChangeStore } from '../../ports/fleet.ts';
import { inScope, scopeParameter } from './standing-columns.ts';

export type ChangeDraft = Omit<AgentChange, 'id' | 'at' | 'hostname'>;

const NAMED_IN_GROUP = 3;

/** For the works of the writers. */
export function insertChange(database: ConsoleDatabase, change: ChangeDraft, at: Date): void {
  database
    .prepare(
      `INSERT INTO agent_changes (at, slug, agent_id, kind, from_value, to_value, flow, reason, message)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    )
    .run(
      at.toISOString(),
      change.tenant,
      change.agent_id,
      change.kind,
      change.from,
      change.to,
      change.flow,
      change.reason,
      change.message,
    );
}

const COLUMNS = `c.id, c.at, c.slug AS tenant, c.agent_id, a.hostname, c.kind, c.from_value AS "from", c.to_value AS "to", c.flow,
  c.reason, c.message`;

export function createChangeStore(database: ConsoleDatabase): ChangeStore {
  const named = database.sql.prepare(
    `SELECT DISTINCT c.agent_id, a.hostname FROM agent_changes c JOIN agents a USING (agent_id)
     WHERE c.at >= :since AND c.slug = :tenant AND c.kind = :kind AND c.from_value IS :from AND c.to_value IS :to
       AND c.flow IS :flow AND c.reason IS :reason LIMIT ${NAMED_IN_GROUP}`,
  );
  return {
    list: async (agentId, { before, limit }) =>
      database
        .prepare(
          `SELECT ${COLUMNS} FROM agent_changes c JOIN agents a USING (agent_id)
           WHERE c.agent_id = :agent AND c.id < :before ORDER BY c.id DESC LIMIT :limit`,
        )
        .all({
          agent: agentId,
          before: before ?? Number.MAX_SAFE_INTEGER,
          limit,
        }) as unknown as AgentChange[],
    async groups(scope, since, limit) {
      const rows = database
        .prepare(
          `SELECT max(c.id) AS id, max(c.at) AS at, c.slug AS tenant, c.kind, c.from_value AS "from", c.to_value AS "to", c.flow,
             c.reason, count(*) AS count
           FROM agent_changes c WHERE c.at >= :since AND ${inScope('c.slug')}
           GROUP BY c.slug, c.kind, c.from_value, c.to_value, c.flow, c.reason ORDER BY max(c.id) DESC LIMIT :limit`,
        )
        .all({
          since: since.toISOString(),
          limit,
          ...scopeParameter(scope),
        }) as unknown as (Omit<ChangeGroup, 'agents' | 'message'> & { id: number })[];
      return rows.map(({ id, ...group }) => {
        const { tenant, kind, from, to, flow, reason } = group;
        const { message } = database.prepare('SELECT message FROM agent_changes WHERE id = ?').get(id) as {
          message: string | null;
        };
        const agents = named.all({ since: since.toISOString(), tenant, kind, from, to, flow, reason });
        return { ...group, message, agents: agents as unknown as ChangeGroup['agents'] };
      });
    },
    appliedAt: async (tenant, revision) =>
      (
        database
          .prepare(
            `SELECT min(at) AS at FROM agent_changes
             WHERE kind = 'revision' AND to_value = ? AND slug = ? GROUP BY agent_id ORDER BY 1`,
          )
          .all(revision, tenant) as { at: string }[]
      ).map(({ at }) => at),
    prune: (keep) =>
      database.write(() =>
        Number(
          database
            .prepare(
              `DELETE FROM agent_changes WHERE id IN (SELECT id FROM (SELECT id,
                 row_number() OVER (PARTITION BY agent_id ORDER BY id DESC) AS place FROM agent_changes) WHERE place > ?)`,
            )
            .run(keep).changes,
        ),
      ),
  };
}
