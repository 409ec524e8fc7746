import { setTimeout as sleep } from 'node:timers/promises';
import { takeExclusively } from '../system/exclusive-file.ts';

const POLL_MS = 100;

/**
 * One holder at a time, in this process and in all others, until it dies. Waits until it is free, or with `wait: false` gives null when
 * it is taken. Gives the function that lets go. Rejects with the signal's reason, or the system's error.
 */
export async function lockFile(
  path: string,
  options: { wait: boolean; signal: AbortSignal },
): Promise<(() => void) | null> {
  for (;;) {
    options.signal.throwIfAborted();
    const file = takeExclusively(path);
    if (file !== null) return () => file.release();
    if (!options.wait) return null;
    await sleep(POLL_MS, undefined, { signal: options.signal }).catch(() => options.signal.throwIfAborted());
  }
}
