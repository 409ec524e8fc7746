import type { Clock, EventSink, Tunnel, TunnelState } from '../../reconciler/ports.ts';

export interface StandingDeps {
  readonly clock: Clock;
  readonly events: EventSink;
  stateChanged(): void;
}

/** What a tunnel says of itself: the state of the status document, and events when it changes. */
export interface Standing {
  state: Tunnel['state'];
  connecting(): void;
  connected(message: string): void;
  /** It was open. */
  lost(message: string, planned: boolean): void;
  /** It could not be opened: said once until it can. */
  failed(message: string): void;
  /** `wasOpen`: it was until now. */
  stopped(wasOpen?: boolean): void;
}

export function createStanding(deps: StandingDeps): Standing {
  let state: TunnelState = 'disconnected';
  let since: string | null = null;
  let message: string | null = null;
  let failureSaid = false;

  const become = (next: TunnelState, why: string | null) => {
    message = why;
    if (next === state && since !== null) return;
    state = next;
    since = deps.clock.now().toISOString();
    deps.stateChanged();
  };

  return {
    state: () => ({ state, since, message }),
    connecting: () => become('connecting', null),
    connected(how) {
      failureSaid = false;
      become('connected', null);
      deps.events.emit({ severity: 'info', reason: 'TunnelConnected', message: how });
    },
    lost(why, planned) {
      become('disconnected', why);
      const severity = planned ? 'info' : 'warning';
      deps.events.emit({
        severity,
        reason: 'TunnelDisconnected',
        message: 'the tunnel is closed; the agent polls, and opens it again',
        because: why,
      });
    },
    failed(why) {
      become('disconnected', why);
      if (failureSaid) return;
      failureSaid = true;
      deps.events.emit({
        severity: 'warning',
        reason: 'TunnelFailed',
        message: 'the tunnel cannot be opened; the agent polls, and tries again',
        because: why,
      });
    },
    stopped(wasOpen = false) {
      become('disconnected', 'the agent closed it');
      if (!wasOpen) return;
      const message = 'the tunnel is closed: the agent stops, or its configuration changed';
      deps.events.emit({ severity: 'info', reason: 'TunnelDisconnected', message });
    },
  };
}
