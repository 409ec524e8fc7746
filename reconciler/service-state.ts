import type { ServiceState } from '../schemas/service.ts';

/** Milliseconds and counts that decide when a service is started again. */
export interface ServiceLimits {
  /** Wait before the first restart; doubles with every failure in a row. */
  readonly backoffFirstMs: number;
  readonly backoffMaxMs: number;
  /** Failures in a row after which it is broken. */
  readonly breakerFailures: number;
  /** When a broken one is tried again. */
  readonly brokenMs: number;
  /** Ready for so long, a failure is the first one again. */
  readonly healthyMs: number;
  /** Liveness probes that fail in a row until the process is taken for dead. */
  readonly liveFailures: number;
}

export const SERVICE_LIMITS: ServiceLimits = {
  backoffFirstMs: 1_000,
  backoffMaxMs: 60_000,
  breakerFailures: 3,
  brokenMs: 3_600_000,
  healthyMs: 300_000,
  liveFailures: 3,
};

/**
 * One version of a service on its way. Immutable; times are of a clock that never goes back. Invariants: `retryAtMs` is
 * set exactly while restarting or broken; broken means at least `breakerFailures` failures in a row; fewer than
 * `liveFailures` missed probes while ready, none otherwise.
 */
export interface ServiceMachine {
  readonly state: ServiceState;
  readonly sinceMs: number;
  /** In a row, a failed start and a process that ended alike. */
  readonly failures: number;
  readonly restarts: number;
  readonly missed: number;
  readonly retryAtMs: number | null;
  readonly message: string | null;
}

export type ServiceEvent =
  /** A process is being started. */
  | { readonly kind: 'start' }
  | { readonly kind: 'ready' }
  /** It did not become ready, or ended. */
  | { readonly kind: 'failed'; readonly message: string }
  | { readonly kind: 'alive' }
  | { readonly kind: 'missed'; readonly message: string }
  /** A person asks to try again: the past does not count any more. */
  | { readonly kind: 'retry' }
  | { readonly kind: 'stop'; readonly message: string | null };

export function newService(nowMs: number): ServiceMachine {
  const none = { failures: 0, restarts: 0, missed: 0, retryAtMs: null, message: null };
  return { state: 'stopped', sinceMs: nowMs, ...none };
}

/** What follows from an event. One that means nothing in this state changes nothing. Pure. */
export function afterService(
  machine: ServiceMachine,
  event: ServiceEvent,
  nowMs: number,
  limits: ServiceLimits = SERVICE_LIMITS,
): ServiceMachine {
  const to = (state: ServiceState, change: Partial<ServiceMachine> = {}): ServiceMachine => ({
    ...machine,
    state,
    sinceMs: state === machine.state ? machine.sinceMs : nowMs,
    missed: 0,
    retryAtMs: null,
    ...change,
  });
  const { state } = machine;
  switch (event.kind) {
    case 'start': {
      if (state === 'starting' || state === 'ready') return machine;
      const again = state === 'restarting' || state === 'broken';
      return to('starting', { restarts: machine.restarts + (again ? 1 : 0) });
    }
    case 'ready':
      return state === 'starting' ? to('ready', { message: null }) : machine;
    case 'failed':
      return state === 'starting' || state === 'ready' ? failed(event.message) : machine;
    case 'alive':
      return state === 'ready' ? to('ready', { message: null }) : machine;
    case 'missed': {
      if (state !== 'ready') return machine;
      const missed = machine.missed + 1;
      if (missed >= limits.liveFailures) return failed(event.message);
      return to('ready', { missed, message: event.message });
    }
    case 'retry':
      if (state !== 'restarting' && state !== 'broken') return machine;
      return to('restarting', { failures: 0, retryAtMs: nowMs });
    case 'stop':
      return to('stopped', { failures: 0, message: event.message });
  }

  function failed(message: string): ServiceMachine {
    const healthy = state === 'ready' && nowMs - machine.sinceMs >= limits.healthyMs;
    const failures = (healthy ? 0 : machine.failures) + 1;
    if (failures >= limits.breakerFailures) {
      return to('broken', { failures, message, retryAtMs: nowMs + limits.brokenMs });
    }
    const wait = Math.min(limits.backoffMaxMs, limits.backoffFirstMs * 2 ** Math.min(failures - 1, 30));
    return to('restarting', { failures, message, retryAtMs: nowMs + wait });
  }
}
