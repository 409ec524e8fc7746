import type { Clock } from '../reconciler/ports.ts';
import type { Log } from '../system/log.ts';

const AGAIN_AFTER_MS = 60_000;

/**
 * Runs a part of the daemon, which should last until the signal aborts. One that ends before that is a bug of ours, or a
 * machine that takes nothing more: it is heard, and begun again a minute later. Never rejects.
 */
export async function keepPart(
  name: string,
  run: (signal: AbortSignal) => Promise<void>,
  { clock, log, signal }: { clock: Clock; log: Log; signal: AbortSignal },
): Promise<void> {
  while (!signal.aborted) {
    // what is still under way of a part that failed must not go on beside the next
    const over = new AbortController();
    try {
      await run(AbortSignal.any([signal, over.signal]));
      if (!signal.aborted) log.error(`${name} ended by itself; it is begun again in a minute`);
    } catch (error) {
      if (!signal.aborted) log.error(`${name} ended by an error; it is begun again in a minute`, { error });
    }
    over.abort(new Error(`${name} has ended`));
    await clock.sleep(AGAIN_AFTER_MS, signal).catch(() => undefined);
  }
}
