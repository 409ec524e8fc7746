import type { Clock } from '../../reconciler/ports.ts';
import { createJumpWatch } from './clock-jump.ts';
import type { Pace } from './reconnect.ts';
import { SILENCE_MS, TICK_MS } from './websocket-limits.ts';

/** Notices that a connection is dead, although nobody closed it. */
export interface Liveness {
  /** A data frame came. Pongs do not count: a proxy may answer pings for a console that is gone. */
  heard(): void;
  /** The last ping was answered: what is sent is read. */
  answered(): void;
  /**
   * Beats every `heartbeatMs`: a heartbeat and a ping. Resolves when the connection is dead, with why and what follows;
   * rejects when the signal aborts.
   */
  watch(heartbeatMs: number, beat: () => void, signal: AbortSignal): Promise<{ pace: Pace; message: string }>;
}

export function createLiveness(clock: Clock): Liveness {
  let heardMs = clock.monotonicMs();
  let pingMs: number | null = null;

  const silence = (nowMs: number): string | null => {
    if (nowMs - heardMs >= SILENCE_MS) return `expected a frame within ${SILENCE_MS} ms, found silence`;
    if (pingMs === null || nowMs - pingMs < SILENCE_MS) return null;
    return `expected an answer to a ping within ${SILENCE_MS} ms, found none`;
  };
  return {
    heard: () => {
      heardMs = clock.monotonicMs();
    },
    answered: () => {
      pingMs = null;
    },
    async watch(heartbeatMs, beat, signal) {
      const jumped = createJumpWatch(clock, SILENCE_MS);
      let beatMs = clock.monotonicMs();
      for (;;) {
        const waitMs = Math.max(1, Math.min(TICK_MS, beatMs + heartbeatMs - clock.monotonicMs()));
        await clock.sleep(waitMs, signal);
        if (jumped(waitMs))
          return { pace: 'at_once', message: 'the clock jumped: this machine slept, or its time was set' };
        const nowMs = clock.monotonicMs();
        const message = silence(nowMs);
        if (message !== null) return { pace: 'backoff', message };
        if (nowMs - beatMs < heartbeatMs) continue;
        beatMs = nowMs;
        pingMs ??= nowMs;
        beat();
      }
    },
  };
}
