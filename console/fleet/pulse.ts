import type { FastifyBaseLogger } from 'fastify';
import type { LiveFeed } from '../live/live-feed.ts';
import type { Notices } from '../notices.ts';
import type { ConsoleState } from '../state.ts';

/** How late it may be told that an agent has gone silent; that is eleven minutes after it was heard. */
const SETTLE_EVERY_MS = 15_000;

/** Keeps of the fleet what no status says: who is connected, who has come, gone silent or been revoked. */
export interface FleetPulse {
  /** Nobody is connected to a server that has just started. */
  start(): Promise<void>;
  /** An agent has been revoked, or anything else has been done to one outside of a status. */
  settle(): void;
  /** Resolves when what it was writing is written. */
  close(): Promise<void>;
}

export function createFleetPulse(parts: {
  readonly state: Pick<ConsoleState, 'fleet' | 'clock'>;
  readonly notices: Notices;
  readonly feed: LiveFeed;
  readonly log: FastifyBaseLogger;
}): FleetPulse {
  const { state, notices, feed, log } = parts;
  const { notes } = state.fleet;
  const writing = new Set<Promise<void>>();
  let timer: NodeJS.Timeout | undefined;
  let isSettling = false;
  let again = false;

  const keep = (work: Promise<void>) => {
    const kept = work
      .catch((err: unknown) => log.error({ err }, 'the state of agents could not be noted'))
      .finally(() => writing.delete(kept));
    writing.add(kept);
  };

  const settleAll = async () => {
    for (;;) {
      again = false;
      const found = await notes.settle(state.clock.now());
      for (const { tenant, agent_id: agent } of found) {
        feed.happened({ tenant, agent, flags: ['releases', 'flows'] });
      }
      if (found.length === 0 && !again) return;
    }
  };
  const settle = () => {
    again = true;
    if (isSettling) return;
    isSettling = true;
    keep(settleAll().finally(() => (isSettling = false)));
  };

  notices.tunnel.subscribe(({ tenant, agent_id: agent, state: is }) => {
    const since = is === 'connected' ? state.clock.now() : null;
    keep(notes.presence(agent, since).then(() => feed.happened({ tenant, agent })));
  });
  notices.enrol.subscribe(settle);

  return {
    async start() {
      await notes.nobodyConnected();
      settle();
      timer = setInterval(settle, SETTLE_EVERY_MS).unref();
    },
    settle,
    async close() {
      clearInterval(timer);
      await Promise.all(writing);
    },
  };
}
