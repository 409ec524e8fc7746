/** The shortest time between two syncs of a burst. */
const SYNC_GAP_MS = 5;
/** A burst spends at most one part in so many of its time in syncs, however slow the disk. */
const SYNC_SHARE = 4;

export interface GroupedSync {
  /** Something was written: durable now when the last sync is long enough ago, else together with what follows, soon. */
  wrote(): void;
  /** Durable on return, whatever is outstanding. */
  now(): void;
  close(): void;
}

/**
 * Spreads the cost of fdatasync (0.2 ms on an SSD, 10 ms and more on a disk that turns): a lone write is durable at once,
 * a thousand in a row share a few syncs. The pace is the real disk's, so the time is the process's own, not an injected one.
 */
export function createGroupedSync(target: {
  sync: () => void;
  /** Everything written before is durable, or the disk has said that it cannot be. */
  synced: () => void;
  failed: (error: unknown) => void;
}): GroupedSync {
  let outstanding = false;
  let endedAt = Number.NEGATIVE_INFINITY;
  let gapMs = SYNC_GAP_MS;
  let timer: NodeJS.Timeout | null = null;

  const now = () => {
    if (timer !== null) clearTimeout(timer);
    timer = null;
    if (!outstanding) return;
    outstanding = false;
    const startedAt = performance.now();
    try {
      target.sync();
    } catch (error) {
      // Trying again would lie: the kernel has marked the pages clean. The events are still in the file for readers.
      target.failed(error);
    }
    endedAt = performance.now();
    gapMs = Math.max(SYNC_GAP_MS, (endedAt - startedAt) * SYNC_SHARE);
    target.synced();
  };

  return {
    now,
    wrote() {
      outstanding = true;
      const dueInMs = endedAt + gapMs - performance.now();
      if (dueInMs <= 0) {
        now();
      } else {
        // Whoever ends the process calls `now` or `close`; the timer alone keeps nobody waiting.
        timer ??= setTimeout(now, dueInMs).unref();
      }
    },
    close() {
      now();
    },
  };
}
