import type { Chance, Clock, EventSink, Tunnel, TunnelPeer } from '../../reconciler/ports.ts';
import type { IdentityConflict } from '../../schemas/identity.ts';
import type { Log } from '../../system/log.ts';
import { createJumpWatch } from './clock-jump.ts';
import { type Pace, reconnectWaitMs } from './reconnect.ts';
import { holdSession } from './session.ts';
import type { SessionEnd } from './session-end.ts';
import { createStanding } from './standing.ts';
import { shownTunnelUrl } from './tunnel-url.ts';
import { type UpgradeDeps, type UpgradeOptions, upgrade } from './upgrade.ts';
import { SILENCE_MS, TICK_MS } from './websocket-limits.ts';

export interface WebsocketTunnelDeps extends UpgradeDeps {
  readonly peer: TunnelPeer;
  readonly events: EventSink;
  readonly log: Log;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly onIdentityConflict?: (told: IdentityConflict) => void;
}

/** A clock that is off by less than this is no reason for a 401 (agent/device-identity.ts leaves as much alone). */
const CLOCK_TOLERATED_MS = 10_000;

/**
 * The agent's side of the contract's section 8 over a WebSocket: connects, holds the connection, connects again. Whatever the
 * console does, nothing is thrown and nothing grows without bound; the agent polls meanwhile.
 */
export function createWebsocketTunnel(deps: WebsocketTunnelDeps, options: UpgradeOptions): Tunnel {
  const { peer, clock, chance, log } = deps;
  const shown = shownTunnelUrl(options.url);
  const standing = createStanding({ clock, events: deps.events, stateChanged: () => peer.stateChanged() });
  let knownOffsetMs = 0;

  /** A 401 to a token of a wrong clock: the answer's `Date` has said by how much, so the next one is right. */
  const learnsClock = (offsetMs: number | null) => {
    const news = offsetMs !== null && Math.abs(offsetMs - knownOffsetMs) > CLOCK_TOLERATED_MS;
    if (offsetMs !== null) knownOffsetMs = offsetMs;
    return news;
  };

  /** One connection, from the first byte to the last. */
  const connect = async (signal: AbortSignal): Promise<SessionEnd> => {
    const outcome = await upgrade(deps, options, signal);
    const clockNews = learnsClock(outcome.clockOffsetMs);
    if (outcome.kind === 'failed') {
      const late = outcome.unbelieved && clockNews;
      const pace = late ? 'backoff' : outcome.pace;
      const message = late
        ? `${outcome.message}; this machine's clock is wrong, the next try goes by the console's`
        : outcome.message;
      standing.failed(message);
      return { pace, message, askedMs: outcome.askedMs, healthy: false, planned: false };
    }
    let open = false;
    const opened = ({ session }: { session: string }) => {
      open = true;
      standing.connected(`the tunnel to ${shown} is open (session ${session.slice(0, 64)})`);
    };
    const end = await holdSession(
      { socket: outcome.socket, peer, clock, chance, log, opened, conflict: deps.onIdentityConflict },
      signal,
    );
    if (signal.aborted) standing.stopped(open);
    else if (open) standing.lost(end.message, end.planned);
    else standing.failed(`${shown}: ${end.message}`);
    return end;
  };

  /** Waits, but not on when the machine has slept meanwhile. */
  const pause = async (ms: number, signal: AbortSignal) => {
    const jumped = createJumpWatch(clock, SILENCE_MS);
    const until = clock.monotonicMs() + ms;
    for (let left = ms; left > 0; left = until - clock.monotonicMs()) {
      const step = Math.min(left, TICK_MS);
      await clock.sleep(step, signal);
      if (jumped(step)) return;
    }
  };

  return {
    state: standing.state,
    async run(signal) {
      let retry = 0;
      standing.connecting();
      try {
        while (!signal.aborted) {
          const end = await connect(signal);
          if (signal.aborted) break;
          if (end.healthy) retry = 0;
          const waitMs = reconnectWaitMs(end.pace, retry, chance.uniform(), end.askedMs);
          if (countsAsRetry(end.pace)) retry += 1;
          const say = end.healthy ? log.info : log.debug;
          say('The tunnel is tried again', { in_ms: Math.round(waitMs), because: end.message });
          await pause(waitMs, signal);
        }
      } catch (error) {
        if (!signal.aborted) throw error;
      } finally {
        standing.stopped();
      }
    },
  };
}

function countsAsRetry(pace: Pace): boolean {
  return pace === 'backoff' || pace === 'slow';
}
