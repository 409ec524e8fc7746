import type { Clock } from './ports.ts';

const FIRST_MS = 5_000;
const MAX_MS = 60_000;

/**
 * Writes what must not be lost, again and again (5 s doubling to 60 s apart) while that throws: a full disk has room again some
 * day. Once the signal aborts it is tried one last time; rejects with the error of that.
 */
export async function writeAgain(
  write: () => void,
  { clock, onFault }: { clock: Pick<Clock, 'sleep'>; onFault: (error: unknown) => void },
  signal: AbortSignal,
): Promise<void> {
  let waitMs = FIRST_MS;
  for (let last = false; ; ) {
    try {
      write();
      return;
    } catch (error) {
      if (last) throw error;
      onFault(error);
    }
    last = await clock.sleep(waitMs, signal).then(
      () => false,
      () => true,
    );
    waitMs = Math.min(MAX_MS, waitMs * 2);
  }
}
