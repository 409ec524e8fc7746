import type { IdentityConflict } from '../schemas/identity.ts';
import type { AgentProcess, IdentityConflictRow, IdentityRows, Sighting } from './store/ports/identities.ts';

/** A conflict goes on for so long after its last sign: agents speak every 5 minutes at least. */
const CONFLICT_LASTS_MS = 15 * 60_000;
const SEEN_EVERY_MS = 10_000;
const PROCESSES_MAX = 16;
const AGENTS_IN_MEMORY_MAX = 50_000;

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
  rows: IdentityRows,
  now: () => Date,
  /** A call that was made before the newer process spoke may arrive after it. */
  overlapMs: () => number,
): IdentityWatch {
  const memory = new Map<string, Promise<Known>>();

  const readKnown = async (agentId: string): Promise<Known> => {
    const processes = await rows.processes(agentId, PROCESSES_MAX);
    const boots = new Map(
      processes.map(({ boot_id, last_at }) => [
        boot_id,
        { lastMs: Date.parse(last_at), writtenMs: Date.parse(last_at) },
      ]),
    );
    const newest = processes[0];
    return {
      boots,
      current: newest?.boot_id ?? null,
      sinceMs: newest === undefined ? 0 : Date.parse(newest.first_at),
    };
  };

  /** Read once, however many calls of the agent come at one time. */
  const knownOf = (agentId: string): Promise<Known> => {
    const there = memory.get(agentId);
    if (there !== undefined) return there;
    const known = readKnown(agentId);
    known.catch(() => memory.delete(agentId));
    memory.set(agentId, known);
    const [oldest] = memory.keys();
    if (memory.size > AGENTS_IN_MEMORY_MAX && oldest !== undefined) memory.delete(oldest);
    return known;
  };

  /** One more than is kept: it is forgotten. */
  const surplus = (known: Known): string | null => {
    if (known.boots.size <= PROCESSES_MAX) return null;
    const oldest = [...known.boots].toSorted(([, a], [, b]) => a.lastMs - b.lastMs)[0]?.[0];
    if (oldest === undefined || oldest === known.current) return null;
    known.boots.delete(oldest);
    return oldest;
  };

  const goesOn = (last_at: string) => now().getTime() - Date.parse(last_at) < CONFLICT_LASTS_MS;

  const follow = (before: IdentityConflictRow | null, spoke: readonly string[]): IdentityConflictRow => {
    const at = now().toISOString();
    const lasting = before !== null && goesOn(before.last_at) ? before : null;
    const boots = [...new Set([...spoke, ...(lasting?.boots ?? [])])].slice(0, PROCESSES_MAX);
    return { since: lasting?.since ?? at, last_at: at, changes: (lasting?.changes ?? 0) + 1, boots };
  };

  const conflict = async (agentId: string): Promise<ConflictRecord | null> => {
    const found = await rows.conflict(agentId);
    if (found === null) return null;
    const { since, last_at, changes, boots } = found;
    const processes = await rows.processes(agentId, PROCESSES_MAX);
    const machines = processes.filter(({ boot_id }) => boots.includes(boot_id));
    return { state: goesOn(last_at) ? 'ongoing' : 'past', since, last_at, changes, machines };
  };

  return {
    // What is decided here is decided before anything is written: calls of one agent come close together.
    async note(agentId, sighting) {
      const known = await knownOf(agentId);
      const { boot } = sighting;
      const at = sighting.at.getTime();
      const before = known.boots.get(boot);
      if (before === undefined) {
        known.boots.set(boot, { lastMs: at, writtenMs: at });
        known.current = boot;
        known.sinceMs = at;
        await rows.saw(agentId, sighting, surplus(known));
        return false;
      }
      before.lastMs = Math.max(before.lastMs, at);
      const due = at - before.writtenMs > SEEN_EVERY_MS;
      if (boot === known.current) {
        if (due) {
          before.writtenMs = at;
          await rows.saw(agentId, sighting, null);
        }
        return false;
      }
      if (at <= known.sinceMs + overlapMs()) return false;
      const spoke = known.current === null ? [boot] : [boot, known.current];
      known.current = boot;
      known.sinceMs = at;
      before.writtenMs = at;
      const found = await rows.sawInTurn(agentId, sighting, (row) => follow(row, spoke));
      return found === null || !goesOn(found.last_at);
    },
    async isOngoing(agentId) {
      const found = await rows.conflict(agentId);
      return found !== null && goesOn(found.last_at);
    },
    conflict,
    async told(agentId, boot) {
      const found = await conflict(agentId);
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
    processes: async (agentId) => rows.processes(agentId, PROCESSES_MAX),
    prune: async () => rows.prune(new Date(now().getTime() - 90 * 24 * 60 * 60_000)),
  };
}
