import type { AgentProcess, IdentityConflictRow, IdentityRows, Sighting } from '../ports/identities.ts';
import type { ConsoleDatabase } from './database.ts';

export function createIdentityRows({ prepare, write }: ConsoleDatabase): IdentityRows {
  const save = (agentId: string, { boot, machine, hostname, os, address, at }: Sighting) => {
    prepare(
      `INSERT INTO agent_processes (agent_id, boot_id, machine, hostname, os, address, first_at, last_at)
         VALUES (:agent, :boot, :machine, :hostname, :os, :address, :at, :at)
         ON CONFLICT (agent_id, boot_id) DO UPDATE SET machine = coalesce(excluded.machine, machine),
           hostname = coalesce(excluded.hostname, hostname), os = coalesce(excluded.os, os),
           address = excluded.address, last_at = max(last_at, excluded.last_at)`,
    ).run({ agent: agentId, boot, machine, hostname, os, address, at: at.toISOString() });
  };
  const conflict = (agentId: string): IdentityConflictRow | null => {
    const find = 'SELECT since, last_at, changes, boots FROM identity_conflicts WHERE agent_id = ?';
    const row = prepare(find).get(agentId) as
      | (Omit<IdentityConflictRow, 'boots'> & { boots: string })
      | undefined;
    return row === undefined ? null : { ...row, boots: JSON.parse(row.boots) as string[] };
  };
  return {
    processes: async (agentId, limit) =>
      prepare(
        `SELECT boot_id, machine, hostname, os, address, first_at, last_at FROM agent_processes
           WHERE agent_id = ? ORDER BY last_at DESC, first_at DESC LIMIT ?`,
      ).all(agentId, limit) as unknown as AgentProcess[],
    saw: (agentId, sighting, forgotten) =>
      write(() => {
        save(agentId, sighting);
        if (forgotten === null) return;
        prepare('DELETE FROM agent_processes WHERE agent_id = ? AND boot_id = ?').run(agentId, forgotten);
      }),
    sawInTurn: (agentId, sighting, follow) =>
      write(() => {
        save(agentId, sighting);
        const before = conflict(agentId);
        const { since, last_at, changes, boots } = follow(before);
        prepare(
          `INSERT INTO identity_conflicts (agent_id, since, last_at, changes, boots) VALUES (?, ?, ?, ?, ?)
           ON CONFLICT (agent_id) DO UPDATE SET since = excluded.since, last_at = excluded.last_at,
             changes = excluded.changes, boots = excluded.boots`,
        ).run(agentId, since, last_at, changes, JSON.stringify(boots));
        return before;
      }),
    conflict: async (agentId) => conflict(agentId),
    prune: (before) =>
      write(() =>
        Number(prepare('DELETE FROM agent_processes WHERE last_at < ?').run(before.toISOString()).changes),
      ),
  };
}
