import type { IdentityConflict } from '../schemas/identity.ts';
import type { ConsoleDatabase } from './store/sqlite/database.ts';

/** A conflict goes on for so long after its last sign: agents speak every 5 minutes at least. */
const CONFLICT_LASTS_MS = 15 * 60_000;
const SEEN_EVERY_MS = 10_000;
const PROCESSES_MAX = 16;
const AGENTS_IN_MEMORY_MAX = 50_000;

/** Who a call came from. `at`: when it was made, by the console's clock (the token's `iat`). */
export interface Sighting {
  readonly boot: string;
  readonly machine: string | null;
  readonly hostname: string | null;
  readonly os: string | null;
  readonly address: string;
  readonly at: Date;
}

export interface AgentProcess {
  readonly boot_id: string;
  readonly machine: string | null;
  readonly hostname: string | null;
  readonly os: string | null;
  readonly address: string;
  readonly first_at: string;
  readonly last_at: string;
}

/** As the operator sees it. */
export interface ConflictRecord {
  readonly state: 'ongoing' | 'past';
  readonly since: string;
  readonly last_at: string;
  /** How often one of them spoke after another. */
  readonly changes: number;
  readonly machines: readonly AgentProcess[];
}

/**
 * Finds out that two machines speak with one identity. An agent process makes up a boot id when it starts, and one process holds
 * the state of an agent at a time: an id that speaks again after a newer one has is a second process with a copy of the
 * credentials. A restart, a move, a restored snapshot go from one id to the next and never back.
 */
export interface IdentityWatch {
  /** True when this call began a conflict. */
  note(agentId: string, sighting: Sighting): Promise<boolean>;
  isOngoing(agentId: string): Promise<boolean>;
  conflict(agentId: string): Promise<ConflictRecord | null>;
  /** What the agent is told; null while there is no conflict now. `boot`: the process that is told. */
  told(agentId: string, boot: string | null): Promise<IdentityConflict | null>;
  processes(agentId: string): Promise<AgentProcess[]>;
  prune(): Promise<number>;
}

interface Known {
  readonly boots: Map<string, { lastMs: number; writtenMs: number }>;
  current: string | null;
  /** When the current one was first heard after another. */
  sinceMs: number;
}

export function createIdentityWatch(
  database: ConsoleDatabase,
  now: () => Date,
  /** A call that was made before the newer process spoke may arrive after it. */
  overlapMs: () => number,
): IdentityWatch {
  const { prepare, write } = database;
  const memory = new Map<string, Known>();

  const processes = (agentId: string) =>
    prepare(
      `SELECT boot_id, machine, hostname, os, address, first_at, last_at FROM agent_processes
         WHERE agent_id = ? ORDER BY last_at DESC, first_at DESC LIMIT ?`,
    ).all(agentId, PROCESSES_MAX) as unknown as AgentProcess[];

  const knownOf = (agentId: string): Known => {
    const there = memory.get(agentId);
    if (there !== undefined) return there;
    const rows = processes(agentId);
    const boots = new Map(
      rows.map(({ boot_id, last_at }) => [
        boot_id,
        { lastMs: Date.parse(last_at), writtenMs: Date.parse(last_at) },
      ]),
    );
    const newest = rows[0];
    const known: Known = {
      boots,
      current: newest?.boot_id ?? null,
      sinceMs: newest === undefined ? 0 : Date.parse(newest.first_at),
    };
    memory.set(agentId, known);
    const [oldest] = memory.keys();
    if (memory.size > AGENTS_IN_MEMORY_MAX && oldest !== undefined) memory.delete(oldest);
    return known;
  };

  const save = (agentId: string, { boot, machine, hostname, os, address, at }: Sighting) => {
    prepare(
      `INSERT INTO agent_processes (agent_id, boot_id, machine, hostname, os, address, first_at, last_at)
         VALUES (:agent, :boot, :machine, :hostname, :os, :address, :at, :at)
         ON CONFLICT (agent_id, boot_id) DO UPDATE SET machine = coalesce(excluded.machine, machine),
           hostname = coalesce(excluded.hostname, hostname), os = coalesce(excluded.os, os),
           address = excluded.address, last_at = max(last_at, excluded.last_at)`,
    ).run({ agent: agentId, boot, machine, hostname, os, address, at: at.toISOString() });
  };

  /** One more than is kept: it is forgotten. */
  const surplus = (known: Known): string | null => {
    if (known.boots.size <= PROCESSES_MAX) return null;
    const oldest = [...known.boots].toSorted(([, a], [, b]) => a.lastMs - b.lastMs)[0]?.[0];
    if (oldest === undefined || oldest === known.current) return null;
    known.boots.delete(oldest);
    return oldest;
  };

  const row = (agentId: string) =>
    prepare('SELECT since, last_at, changes, boots FROM identity_conflicts WHERE agent_id = ?').get(
      agentId,
    ) as { since: string; last_at: string; changes: number; boots: string } | undefined;
  const goesOn = (last_at: string) => now().getTime() - Date.parse(last_at) < CONFLICT_LASTS_MS;

  /** True when it is a new one, or one that was over. */
  const mark = (agentId: string, boots: readonly string[]): boolean => {
    const at = now().toISOString();
    const before = row(agentId);
    const lasting = before !== undefined && goesOn(before.last_at) ? before : null;
    const named = [
      ...new Set([...boots, ...(lasting === null ? [] : (JSON.parse(lasting.boots) as string[]))]),
    ];
    prepare(
      `INSERT INTO identity_conflicts (agent_id, since, last_at, changes, boots) VALUES (?, ?, ?, ?, ?)
       ON CONFLICT (agent_id) DO UPDATE SET since = excluded.since, last_at = excluded.last_at,
         changes = excluded.changes, boots = excluded.boots`,
    ).run(
      agentId,
      lasting?.since ?? at,
      at,
      (lasting?.changes ?? 0) + 1,
      JSON.stringify(named.slice(0, PROCESSES_MAX)),
    );
    return lasting === null;
  };

  const conflict = (agentId: string): ConflictRecord | null => {
    const found = row(agentId);
    if (found === undefined) return null;
    const boots = JSON.parse(found.boots) as string[];
    const { since, last_at, changes } = found;
    const machines = processes(agentId).filter(({ boot_id }) => boots.includes(boot_id));
    return { state: goesOn(last_at) ? 'ongoing' : 'past', since, last_at, changes, machines };
  };

  return {
    // What is decided here is decided before anything is waited for: calls of one agent come close together.
    async note(agentId, sighting) {
      const known = knownOf(agentId);
      const { boot } = sighting;
      const at = sighting.at.getTime();
      const before = known.boots.get(boot);
      if (before === undefined) {
        known.boots.set(boot, { lastMs: at, writtenMs: at });
        known.current = boot;
        known.sinceMs = at;
        const forgotten = surplus(known);
        await write(() => {
          save(agentId, sighting);
          if (forgotten === null) return;
          const remove = 'DELETE FROM agent_processes WHERE agent_id = ? AND boot_id = ?';
          prepare(remove).run(agentId, forgotten);
        });
        return false;
      }
      before.lastMs = Math.max(before.lastMs, at);
      const due = at - before.writtenMs > SEEN_EVERY_MS;
      if (boot === known.current) {
        if (due) {
          before.writtenMs = at;
          await write(() => save(agentId, sighting));
        }
        return false;
      }
      if (at <= known.sinceMs + overlapMs()) return false;
      const other = known.current;
      known.current = boot;
      known.sinceMs = at;
      before.writtenMs = at;
      return write(() => {
        save(agentId, sighting);
        return mark(agentId, other === null ? [boot] : [boot, other]);
      });
    },
    async isOngoing(agentId) {
      const found = row(agentId);
      return found !== undefined && goesOn(found.last_at);
    },
    conflict: async (agentId) => conflict(agentId),
    async told(agentId, boot) {
      const found = conflict(agentId);
      if (found === null || found.state === 'past') return null;
      return {
        since: found.since,
        machines: found.machines.map(({ boot_id, hostname, os, address, first_at, last_at }) => ({
          hostname,
          os,
          address: address.slice(0, 64),
          since: first_at,
          last_seen_at: last_at,
          you: boot_id === boot,
        })),
      };
    },
    processes: async (agentId) => processes(agentId),
    prune: () =>
      write(() => {
        const before = new Date(now().getTime() - 90 * 24 * 60 * 60_000).toISOString();
        return Number(prepare('DELETE FROM agent_processes WHERE last_at < ?').run(before).changes);
      }),
  };
}
