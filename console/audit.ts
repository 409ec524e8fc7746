import type { ConsoleDatabase } from './database.ts';

/** What is written down of who may speak: a closed list (docs/spec/console-api.md). */
export type AuditAction =
  | 'agent_enrolled'
  | 'agent_unenrolled'
  | 'agent_revoked'
  | 'key_rotated'
  | 'key_rotation_asked'
  | 'retired_key_used'
  | 'identity_conflict'
  | 'event_log_forked'
  | 'token_made'
  | 'token_revoked';

export interface AuditEntry {
  readonly action: AuditAction;
  readonly tenant: string | null;
  readonly agent_id: string | null;
  /** `operator`, `agent`, `console`, or the name a person gave. */
  readonly by: string;
  readonly message: string;
}

export interface AuditRow extends AuditEntry {
  readonly id: number;
  readonly at: string;
}

export interface Audit {
  note(entry: AuditEntry, at: Date): void;
  /** Newest first; `before` is an `id` of a row. */
  list(filter: {
    agent?: string | undefined;
    tenant?: string | undefined;
    before?: number | undefined;
    limit: number;
  }): AuditRow[];
  /** Forgets the oldest beyond `keep`; how many. */
  prune(keep: number): number;
}

/** The console's own history of identities. Kept when the agent it is about is long gone. */
export function createAudit({ sql }: ConsoleDatabase): Audit {
  return {
    note({ action, tenant, agent_id, by, message }, at) {
      sql
        .prepare('INSERT INTO audit (at, slug, agent_id, action, by_whom, message) VALUES (?, ?, ?, ?, ?, ?)')
        .run(at.toISOString(), tenant, agent_id, action, by, message.slice(0, 1_000));
    },
    list: ({ agent, tenant, before, limit }) =>
      sql
        .prepare(
          `SELECT id, at, slug AS tenant, agent_id, action, by_whom AS by, message FROM audit
           WHERE (:agent IS NULL OR agent_id = :agent) AND (:tenant IS NULL OR slug = :tenant)
             AND (:before IS NULL OR id < :before) ORDER BY id DESC LIMIT :limit`,
        )
        .all({
          agent: agent ?? null,
          tenant: tenant ?? null,
          before: before ?? null,
          limit,
        }) as unknown as AuditRow[],
    prune: (keep) =>
      Number(sql.prepare('DELETE FROM audit WHERE id <= (SELECT max(id) FROM audit) - ?').run(keep).changes),
  };
}
