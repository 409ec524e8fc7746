import type { AgentChange } from '../../../../schemas/console/agent.ts';
import type { ChangeGroup } from '../../../../schemas/console/overview.ts';
import type { ChangeStore } from '../../ports/fleet.ts';
import type { ConsoleDatabase } from '../database.ts';
import { beyondNewest, createPruning } from '../pruning.ts';
import { inScope, scopeParameter } from './standing-columns.ts';

type ChangeDraft = Omit<AgentChange, 'id' | 'at' | 'hostname'>;

const NAMED_IN_GROUP = 3;
/** Of the like changes of a minute, so many are kept with their agents: who they were of is known as long as there are no more. */
const AGENTS_KEPT = 50;
/** Of the counts of like changes: an hour is asked for. */
const COUNTS_KEPT_MS = 3 * 60 * 60_000;

/** For the works of the writers. Like changes of one minute are counted as they come: nobody can count them when they are asked for. */
export function insertChange(database: ConsoleDatabase, change: ChangeDraft, at: Date): void {
  const { tenant, agent_id, kind, from, to, flow, reason, message } = change;
  const { lastInsertRowid: id } = database
    .prepare(
      `INSERT INTO agent_changes (at, slug, agent_id, kind, from_value, to_value, flow, reason, message)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    )
    .run(at.toISOString(), tenant, agent_id, kind, from, to, flow, reason, message);
  database
    .prepare(
      `INSERT INTO change_counts (minute, slug, change, count, last_id, agents)
       VALUES (:minute, :tenant, :change, 1, :id, json_array(:agent))
       ON CONFLICT DO UPDATE SET count = count + 1, last_id = excluded.last_id,
         agents = CASE WHEN count < ${AGENTS_KEPT} THEN json_insert(agents, '$[#]', :agent) ELSE agents END`,
    )
    .run({
      minute: minuteOf(at),
      tenant,
      change: JSON.stringify({ kind, from, to, flow, reason }),
      id,
      agent: agent_id,
    });
}

function minuteOf(at: Date): string {
  return at.toISOString().slice(0, 16);
}

const COLUMNS = `c.id, c.at, c.slug AS tenant, c.agent_id, a.hostname, c.kind, c.from_value AS "from", c.to_value AS "to", c.flow,
  c.reason, c.message`;

export function createChangeStore(database: ConsoleDatabase): ChangeStore {
  const named = (ids: readonly string[]) =>
    database
      .prepare(
        'SELECT agent_id, hostname FROM agents WHERE agent_id IN (SELECT value FROM json_each(?)) ORDER BY hostname',
      )
      .all(JSON.stringify(ids)) as unknown as ChangeGroup['agents'];
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
          `SELECT slug AS tenant, change, sum(count) AS count, max(last_id) AS id, json_group_array(json(agents)) AS agents,
             sum(count) = sum(json_array_length(agents)) AS are_all_kept
           FROM change_counts WHERE minute >= :minute AND ${inScope('slug')}
           GROUP BY slug, change ORDER BY max(last_id) DESC LIMIT :limit`,
        )
        .all({ minute: minuteOf(since), limit, ...scopeParameter(scope) }) as {
        tenant: string;
        change: string;
        count: number;
        id: number;
        agents: string;
        are_all_kept: number;
      }[];
      return rows.flatMap(({ tenant, change, count, id, agents, are_all_kept }) => {
        const last = database.prepare('SELECT at, message FROM agent_changes WHERE id = ?').get(id) as
          | Pick<ChangeGroup, 'at' | 'message'>
          | undefined;
        // Forgotten, as too much has changed since for that agent.
        if (last === undefined) return [];
        const like = JSON.parse(change) as Pick<ChangeGroup, 'kind' | 'from' | 'to' | 'flow' | 'reason'>;
        const ids = [...new Set((JSON.parse(agents) as string[][]).toReversed().flat())];
        const known = are_all_kept === 1 ? { agents_count: ids.length } : {};
        return [{ ...last, tenant, ...like, count, ...known, agents: named(ids.slice(0, NAMED_IN_GROUP)) }];
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
    prune: async (keep, now, signal) => {
      const { inPieces, ofEachAgent } = createPruning(database, signal);
      const until = minuteOf(new Date(now.getTime() - COUNTS_KEPT_MS));
      await inPieces((limit) =>
        Number(
          database
            .prepare(
              `DELETE FROM change_counts WHERE (minute, slug, change) IN
                 (SELECT minute, slug, change FROM change_counts WHERE minute < ? LIMIT ?)`,
            )
            .run(until, limit).changes,
        ),
      );
      const beyond = beyondNewest(database, 'agent_changes', keep);
      return ofEachAgent(beyond.look, beyond.remove);
    },
  };
}
