import type { Notices } from '../../console/notices.ts';
import type { Event } from '../../schemas/event.ts';
import type { RunReport } from '../../schemas/run.ts';

const WAIT_MS = 60_000;

/** What the console has received from the agent, and waiting for more of it. */
export interface Arrivals {
  readonly events: readonly Event[];
  readonly runs: readonly RunReport[];
  /** The first that fits, whether it has come already or comes within a minute. `what` completes "expected …". */
  event(what: string, wanted: (event: Event) => boolean, signal: AbortSignal): Promise<Event>;
  run(what: string, wanted: (report: RunReport) => boolean, signal: AbortSignal): Promise<RunReport>;
}

export function createArrivals(notices: Notices): Arrivals {
  const events: Event[] = [];
  const runs: RunReport[] = [];
  const waiting = new Set<() => void>();
  const wake = () => {
    for (const look of waiting) look();
  };
  notices.events.subscribe((notice) => {
    events.push(...notice.events);
    wake();
  });
  notices.notify.subscribe((notice) => {
    runs.push(notice.report);
    wake();
  });

  async function first<T>(
    kept: readonly T[],
    what: string,
    wanted: (item: T) => boolean,
    signal: AbortSignal,
  ) {
    const deadline = AbortSignal.timeout(WAIT_MS);
    const ended = AbortSignal.any([signal, deadline]);
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const look = () => {
      const found = kept.find(wanted);
      if (found !== undefined) resolve(found);
    };
    const onAbort = () => {
      const last = events.at(-1);
      const heard = last === undefined ? 'nothing at all' : `last "${last.reason}: ${last.message}"`;
      const late = new Error(
        `expected ${what} within ${WAIT_MS / 1_000} s; the console heard ${heard} of the agent`,
      );
      reject(signal.aborted ? (signal.reason as Error) : late);
    };
    waiting.add(look);
    ended.addEventListener('abort', onAbort, { once: true });
    try {
      if (ended.aborted) onAbort();
      look();
      return await promise;
    } finally {
      waiting.delete(look);
      ended.removeEventListener('abort', onAbort);
    }
  }

  return {
    events,
    runs,
    event: (what, wanted, signal) => first(events, what, wanted, signal),
    run: (what, wanted, signal) => first(runs, what, wanted, signal),
  };
}
