import type { EnrolAnswer } from '../schemas/enrolment.ts';
import type { Event } from '../schemas/event.ts';
import type { RunReport } from '../schemas/run.ts';
import type { Status } from '../schemas/status.ts';
import type { AuditAction } from './store/ports/audit.ts';
import type { CommandState } from './store/ports/commands.ts';
import type { SummaryChange } from './store/ports/fleet.ts';

export interface Topic<T> {
  /** Returns what ends the subscription. */
  subscribe(listener: (notice: T) => void): () => void;
  /** The next notice for which `wanted` is true; rejects with the signal's reason. */
  waitFor(wanted: (notice: T) => boolean, signal: AbortSignal): Promise<T>;
  publish(notice: T): void;
}

/** What happens on the console, told inside its process: the tunnel, the demo and tests wait for these. */
export interface Notices {
  /** The branch or a tag of a tenant has moved. `commit` is the tip of the branch. */
  readonly push: Topic<{ readonly tenant: string; readonly commit: string | null }>;
  readonly enrol: Topic<{ readonly tenant: string; readonly agent_id: string; readonly answer: EnrolAnswer }>;
  /** A finished run, stored for the first time. */
  readonly notify: Topic<{ readonly tenant: string; readonly agent_id: string; readonly report: RunReport }>;
  readonly status: Topic<{
    readonly tenant: string;
    readonly agent_id: string;
    readonly status: Status;
    readonly changed: SummaryChange;
  }>;
  readonly events: Topic<{
    readonly tenant: string;
    readonly agent_id: string;
    readonly events: readonly Event[];
  }>;
  /** An agent has come, or has gone. */
  readonly tunnel: Topic<{
    readonly tenant: string;
    readonly agent_id: string;
    readonly session: string;
    readonly state: 'connected' | 'disconnected';
  }>;
  /** A sign of a copied or restored machine. */
  readonly identity: Topic<{
    readonly tenant: string;
    readonly agent_id: string;
    readonly action: AuditAction;
    readonly message: string;
  }>;
  /** A signed command was stored, or its state has changed. */
  readonly command: Topic<{
    readonly tenant: string;
    readonly agent_id: string;
    readonly command_id: string;
    readonly state: CommandState;
  }>;
  /** Told through the tunnel: a run has begun, or has ended. */
  readonly run: Topic<{
    readonly tenant: string;
    readonly agent_id: string;
    readonly run_id: string;
    readonly attempt: number;
    readonly state: string;
  }>;
  /** There is more of a log; `next` is its length now. */
  readonly log: Topic<{
    readonly tenant: string;
    readonly agent_id: string;
    readonly run_id: string;
    readonly attempt: number;
    readonly stream: 'stdout' | 'stderr';
    readonly next: number;
  }>;
  /** Another process, such as a verb of the command line, has written to the database. */
  readonly elsewhere: Topic<Record<string, never>>;
  /** What a person or a key may do has changed, or is over. */
  readonly access: Topic<{ readonly actor_id: string }>;
}

/** `onFault` hears what a listener throws; the others hear the notice all the same. */
export function createNotices(onFault: (error: unknown) => void): Notices {
  return {
    push: topic(onFault),
    enrol: topic(onFault),
    notify: topic(onFault),
    status: topic(onFault),
    events: topic(onFault),
    tunnel: topic(onFault),
    identity: topic(onFault),
    command: topic(onFault),
    run: topic(onFault),
    log: topic(onFault),
    elsewhere: topic(onFault),
    access: topic(onFault),
  };
}

function topic<T>(onFault: (error: unknown) => void): Topic<T> {
  const listeners = new Set<(notice: T) => void>();
  const subscribe = (listener: (notice: T) => void) => {
    // A function of its own, so that one listener subscribed twice is two subscriptions.
    const own = (notice: T) => listener(notice);
    listeners.add(own);
    return () => {
      listeners.delete(own);
    };
  };
  return {
    subscribe,
    async waitFor(wanted, signal) {
      signal.throwIfAborted();
      const { promise, resolve, reject } = Promise.withResolvers<T>();
      const onAbort = () => reject(signal.reason as Error);
      signal.addEventListener('abort', onAbort, { once: true });
      const stop = subscribe((notice) => {
        if (wanted(notice)) resolve(notice);
      });
      try {
        return await promise;
      } finally {
        stop();
        signal.removeEventListener('abort', onAbort);
      }
    },
    publish(notice) {
      for (const listener of listeners) {
        try {
          listener(notice);
        } catch (error) {
          onFault(error);
        }
      }
    },
  };
}
