import type { ConsoleClock } from '../../../console/state.ts';

/** The console's clock, which a made-up past moves on from one thing that happened to the next; then it is the machine's own. */
export interface MovingClock extends ConsoleClock {
  /** Never back. */
  moveTo(at: Date): void;
  /** From now on it is the machine's. */
  arrive(): void;
}

export function movingClock(from: Date): MovingClock {
  let aheadMs = from.getTime() - Date.now();
  const now = () => new Date(Date.now() + aheadMs);
  return {
    now,
    // Waits go on as ever: heartbeats and silences of tunnels are real.
    monotonicMs: () => performance.now(),
    moveTo(at) {
      aheadMs = Math.max(aheadMs, Math.min(0, at.getTime() - Date.now()));
    },
    arrive() {
      aheadMs = 0;
    },
  };
}
