import type { Clock } from './ports.ts';
import type { ReconcileOptions, ReconcileResult } from './reconcile.ts';

/** The reason of an abort when a newer revision takes over. */
class Preempted extends Error {
  override name = 'Preempted';
}

export interface LoopDeps {
  readonly clock: Clock;
  readonly reconcile: (options: ReconcileOptions) => Promise<ReconcileResult>;
  /** The revision the source shows now, null when it cannot be told. Asked while a long reconcile is under way. */
  readonly peek: (signal: AbortSignal) => Promise<string | null>;
  /** The revision the reconcile under way is for. */
  readonly underWay: () => string | null;
  readonly intervalMs: () => number;
  readonly onPreempted: (from: string, to: string) => void;
  /** A bug of ours: told, and the loop goes on. */
  readonly onCrash: (error: unknown) => void;
}

export interface ReconcileLoop {
  /** Looks at the source as soon as it can; several at once become one. */
  nudge(): void;
  /** A reconcile that begins after this call, or joins one that has not begun; resolves with its result, rejects when the loop has ended. */
  reconcileNow(options: { explicit: boolean; force: boolean }): Promise<ReconcileResult>;
  /** Goes on until the signal aborts; what is under way is aborted with it. */
  run(signal: AbortSignal): Promise<void>;
}

interface Request {
  explicit: boolean;
  force: boolean;
  readonly answers: PromiseWithResolvers<ReconcileResult>[];
}

/** The one reconcile at a time: on an interval, after a nudge, by hand; pre-empted by a newer revision. */
export function createReconcileLoop(deps: LoopDeps): ReconcileLoop {
  let pending: Request | null = null;
  /** Why nothing is reconciled any more. */
  let ended: { readonly because: unknown } | null = null;
  const sleepers = new Set<() => void>();

  const request = (): Request => {
    pending ??= { explicit: false, force: false, answers: [] };
    for (const wake of sleepers) wake();
    return pending;
  };

  async function once(signal: AbortSignal): Promise<number> {
    const asked = pending;
    pending = null;
    const preempt = new AbortController();
    const both = AbortSignal.any([signal, preempt.signal]);
    const watch = watchForNewer(preempt, both);
    try {
      const result = await deps.reconcile({
        signal: both,
        explicit: asked?.explicit === true,
        force: asked?.force === true,
        intervalMs: deps.intervalMs(),
      });
      for (const answer of asked?.answers ?? []) answer.resolve(result);
      return result.wakeInMs;
    } catch (error) {
      if (preempt.signal.aborted && !signal.aborted) {
        // whoever waits gets the answer of the reconcile that takes over
        const next = request();
        next.explicit ||= asked?.explicit === true;
        next.force ||= asked?.force === true;
        next.answers.push(...(asked?.answers ?? []));
        return 0;
      }
      for (const answer of asked?.answers ?? []) answer.reject(error);
      if (!signal.aborted) deps.onCrash(error);
      return deps.intervalMs();
    } finally {
      preempt.abort(new Preempted('the reconcile is over'));
      await watch;
    }
  }

  async function watchForNewer(preempt: AbortController, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await sleepOrWake(deps.intervalMs(), signal);
        const from = deps.underWay();
        const to = await deps.peek(signal);
        if (from === null || to === null || from === to || signal.aborted) continue;
        deps.onPreempted(from, to);
        preempt.abort(new Preempted(`${to} takes over from ${from}`));
      } catch {
        if (!signal.aborted) continue;
      }
    }
  }

  return {
    nudge: () => void request(),
    reconcileNow(options) {
      const answer = Promise.withResolvers<ReconcileResult>();
      if (ended !== null) {
        answer.reject(ended.because);
        return answer.promise;
      }
      const joined = request();
      joined.explicit ||= options.explicit;
      joined.force ||= options.force;
      joined.answers.push(answer);
      return answer.promise;
    },
    async run(signal) {
      ended = null;
      while (!signal.aborted) {
        const waitMs = await once(signal);
        if (pending !== null || signal.aborted) continue;
        await sleepOrWake(waitMs, signal);
      }
      ended = { because: signal.reason };
      const last = pending;
      pending = null;
      for (const answer of last?.answers ?? []) answer.reject(signal.reason);
    },
  };

  async function sleepOrWake(ms: number, signal: AbortSignal): Promise<void> {
    const woken = new AbortController();
    const wake = () => woken.abort();
    sleepers.add(wake);
    try {
      await deps.clock.sleep(ms, AbortSignal.any([signal, woken.signal]));
    } catch {
      // woken or ended: whoever sleeps looks which
    } finally {
      sleepers.delete(wake);
    }
  }
}
