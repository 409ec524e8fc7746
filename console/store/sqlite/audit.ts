import type { AuditEntry, AuditRow, AuditStore } from '../ports/audit.ts';
import { tenantList } from '../ports/tenant-scope.ts';
import type { ConsoleDatabase } from './database.ts';
import { createPruning } from './pruning.ts';

const MESSAGE_MAX = 1_000;
const WORDS_MAX = 16;

/** For the works of other stores: what changes and the row that tells of it are written together or not at all. */
export function insertAudit(
  { prepare, afterwards, auditHears }: Pick<ConsoleDatabase, 'prepare' | 'afterwards' | 'auditHears'>,
  entry: AuditEntry,
  at: Date,
): void {
  const { action, tenant, agent_id, by, actor_id = null, message, reason = null } = entry;
  prepare(
    `INSERT INTO audit (at, slug, agent_id, action, by_whom, actor_id, message, reason) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
  ).run(
    at.toISOString(),
    tenant,
    agent_id,
    action,
    by,
    actor_id,
    message.slice(0, MESSAGE_MAX),
    reason?.slice(0, MESSAGE_MAX) ?? null,
  );
  afterwards(() => {
    for (const hear of auditHears) hear(entry);
  });
}

export function createAuditStore(database: ConsoleDatabase): AuditStore {
  const { prepare, write, auditHears } = database;
  return {
    note: async (entry, at) => write(() => insertAudit(database, entry, at)),
    onWritten(hear) {
      // A function of its own, so that one that is given twice is two.
      const own = (entry: AuditEntry) => hear(entry);
      auditHears.add(own);
      return () => void auditHears.delete(own);
    },
    async list(filter) {
      const { tenants = '*', agent, actions, by, q = '', since, until, before, limit } = filter;
      const words = q
        .split(/\s+/)
        .filter((word) => word !== '')
        .slice(0, WORDS_MAX);
      const found = (index: number) =>
        `instr(lower(concat_ws(' ', audit.message, audit.reason, by_whom, action, audit.agent_id, hostname)), lower(:word${index})) > 0`;
      const rows = prepare(
        `SELECT audit.id, at, audit.slug AS tenant, audit.agent_id, agents.hostname, action, by_whom AS by, actor_id,
             message, reason
           FROM audit LEFT JOIN agents ON agents.agent_id = audit.agent_id
           WHERE (:tenants IS NULL OR audit.slug IN (SELECT value FROM json_each(:tenants)))
             AND (:agent IS NULL OR audit.agent_id = :agent)
             AND (:actions IS NULL OR action IN (SELECT value FROM json_each(:actions)))
             AND (:by IS NULL OR by_whom = :by)
             AND (:since IS NULL OR at >= :since) AND (:until IS NULL OR at < :until)
             AND (:before IS NULL OR audit.id < :before)
             ${words.map((_word, index) => `AND ${found(index)}`).join(' ')}
           ORDER BY audit.id DESC LIMIT :limit`,
      ).all({
        tenants: tenantList(tenants),
        agent: agent ?? null,
        actions: actions === undefined ? null : JSON.stringify(actions),
        by: by ?? null,
        since: since === undefined ? null : new Date(since).toISOString(),
        until: until === undefined ? null : new Date(until).toISOString(),
        before: before ?? null,
        limit,
        ...Object.fromEntries(words.map((word, index) => [`word${index}`, word])),
      });
      return rows as unknown as AuditRow[];
    },
    prune: async (keep, signal) =>
      createPruning(database, signal).inPieces((limit) =>
        Number(
          prepare(
            'DELETE FROM audit WHERE id IN (SELECT id FROM audit WHERE id <= (SELECT max(id) FROM audit) - ? ORDER BY id LIMIT ?)',
          ).run(keep, limit).changes,
        ),
      ),
  };
}
