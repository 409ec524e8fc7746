import type { Session } from './session.ts';

/** Who is connected. A session is here from the upgrade until its socket has closed; it counts for its agent from the hello on. */
export interface Roster {
  readonly all: ReadonlySet<Session>;
  add(session: Session): void;
  /** The session said hello; an older one of the same agent has been ended. */
  welcome(session: Session): void;
  /** It counts no more for its agent, though its socket may still be closing. True when it did until now. */
  retire(session: Session): boolean;
  /** Its socket has closed. */
  remove(session: Session): void;
  ofAgent(agentId: string): Session | undefined;
  ofTenant(tenant: string): Session[];
  count(tenant: string): number;
  /** Resolves when nobody is here, or after `ms`. */
  untilEmpty(ms: number): Promise<void>;
}

export function createRoster(): Roster {
  const all = new Set<Session>();
  const byAgent = new Map<string, Session>();
  const byTenant = new Map<string, Set<Session>>();
  const waiting = new Set<() => void>();

  return {
    all,
    add: (session) => void all.add(session),
    welcome(session) {
      session.phase = 'open';
      byAgent.set(session.agentId, session);
      const peers = byTenant.get(session.tenant) ?? new Set();
      byTenant.set(session.tenant, peers.add(session));
    },
    retire(session) {
      const wasOpen = session.phase === 'open';
      session.phase = 'ended';
      if (!wasOpen) return false;
      if (byAgent.get(session.agentId) === session) byAgent.delete(session.agentId);
      const peers = byTenant.get(session.tenant);
      peers?.delete(session);
      if (peers?.size === 0) byTenant.delete(session.tenant);
      return true;
    },
    remove(session) {
      all.delete(session);
      if (all.size === 0) for (const tell of waiting) tell();
    },
    ofAgent: (agentId) => byAgent.get(agentId),
    ofTenant: (tenant) => [...(byTenant.get(tenant) ?? [])],
    count: (tenant) => byTenant.get(tenant)?.size ?? 0,
    async untilEmpty(ms) {
      if (all.size === 0) return;
      const { promise, resolve } = Promise.withResolvers<void>();
      const timer = setTimeout(resolve, ms);
      waiting.add(resolve);
      await promise;
      clearTimeout(timer);
      waiting.delete(resolve);
    },
  };
}
