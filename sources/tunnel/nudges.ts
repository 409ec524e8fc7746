import type { Clock } from '../../reconciler/ports.ts';

/**
 * Passes on requests to look: the first at once, those that come too soon after it together, as the last of them. They are
 * unsigned: whoever holds the console must not have the source asked a thousand times a second.
 */
export function createNudges(
  clock: Clock,
  everyMs: number,
  tell: (revision: string | null) => void,
  signal: AbortSignal,
): (revision: string | null) => void {
  let next: { revision: string | null } | null = null;
  let resting = false;

  const rest = async () => {
    for (;;) {
      await clock.sleep(everyMs, signal);
      if (next === null) break;
      const { revision } = next;
      next = null;
      tell(revision);
    }
    resting = false;
  };
  return (revision) => {
    if (resting) {
      next = { revision };
      return;
    }
    resting = true;
    tell(revision);
    // Ends only with the connection, whose nudges nobody needs any more.
    rest().catch(() => {});
  };
}
