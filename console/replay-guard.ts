import type { RequestIds } from './store/ports/request-ids.ts';

export interface Taken {
  /** False: this id was used before. */
  readonly isNew: boolean;
  /**
   * Resolves when a restart will not forget it. What the call asks for may begin before; it is answered after, so that nothing
   * that was answered can be replayed.
   */
  readonly kept: Promise<void>;
}

export interface ReplayGuard {
  /** New the first time; the id is remembered until `expiresAt` (seconds since 1970), restarts included. */
  takeOnce(caller: string, jti: string, expiresAt: number): Promise<Taken>;
  /** Forgets ids whose token could not be used any more; how many. */
  prune(now: Date, signal?: AbortSignal): Promise<number>;
}

/** `jti` of request tokens, accepted once (contract, section 7). On disk: a restart must not open the door to replays. */
export function createReplayGuard(ids: RequestIds): ReplayGuard {
  /** Being looked up, or on their way to the disk. */
  const pending = new Set<string>();

  const keep = async (key: string, caller: string, jti: string, expiresAt: number): Promise<void> => {
    try {
      await ids.keep(caller, jti, expiresAt);
    } finally {
      pending.delete(key);
    }
  };

  return {
    async takeOnce(caller, jti, expiresAt) {
      const key = `${caller} ${jti}`;
      if (pending.has(key)) return USED;
      pending.add(key);
      const known = await ids.isKnown(caller, jti).catch((error: unknown) => {
        pending.delete(key);
        throw error;
      });
      if (known) {
        pending.delete(key);
        return USED;
      }
      const kept = keep(key, caller, jti, expiresAt);
      // Whoever answers the call waits for it; a call that was given up has nobody to.
      kept.catch(() => {});
      return { isNew: true, kept };
    },
    // An hour later than need be: the verifier allows for clocks that differ.
    prune: async (now, signal) => ids.prune(Math.floor(now.getTime() / 1_000) - 3_600, signal),
  };
}

const USED: Taken = { isNew: false, kept: Promise.resolve() };
