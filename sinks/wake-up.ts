import type { Clock } from '../reconciler/ports.ts';

export interface WakeUp {
  /** Ends the wait that is on, or the next one before it begins. */
  now(): void;
  /** Resolves after `ms`, or as soon as somebody calls `now`; rejects with the signal's reason when it aborts. */
  within(ms: number, signal: AbortSignal): Promise<void>;
}

/** A sleep of one sleeper that others can cut short; a call in between two sleeps is not lost. */
export function createWakeUp(clock: Clock): WakeUp {
  let called = false;
  let sleeping: AbortController | null = null;
  return {
    now() {
      called = true;
      sleeping?.abort();
    },
    async within(ms, signal) {
      signal.throwIfAborted();
      if (called) {
        called = false;
        return;
      }
      const sleep = new AbortController();
      const onAbort = () => sleep.abort();
      signal.addEventListener('abort', onAbort, { once: true });
      sleeping = sleep;
      try {
        await clock.sleep(ms, sleep.signal);
      } catch (error) {
        signal.throwIfAborted();
        if (!sleep.signal.aborted) throw error;
      } finally {
        signal.removeEventListener('abort', onAbort);
        sleeping = null;
        called = false;
      }
    },
  };
}
