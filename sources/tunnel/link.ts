import type { WebSocket } from 'ws';
import type { Chance, Clock, TunnelLink } from '../../reconciler/ports.ts';
import type { Log } from '../../system/log.ts';
import { writeFrame } from './frames.ts';
import { OUTGOING_HOLD_BYTES, OUTGOING_LOW_BYTES, OUTGOING_MAX_BYTES } from './websocket-limits.ts';

export interface LinkDeps {
  readonly socket: WebSocket;
  readonly agentId: string;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly log: Log;
  /** There is room again, after `send` had said that there is none. */
  drained(): void;
  /** True when answers pile up that the console does not read: read no more of its questions. False when they are gone. */
  onFull(full: boolean): void;
}

export interface SessionLink extends TunnelLink {
  /** What the protocol itself needs (hello, heartbeats, acknowledgements, echoes): taken whatever waits. */
  answer(type: string, data: unknown, id?: string): void;
  close(): void;
}

/** The sending side of one connection; what waits to be sent is bounded. */
export function createLink(deps: LinkDeps): SessionLink {
  const { socket } = deps;
  let open = true;
  let refused = false;
  let full = false;

  const sent = () => {
    if (!open || socket.bufferedAmount > OUTGOING_LOW_BYTES) return;
    if (full) {
      full = false;
      deps.onFull(false);
    }
    if (refused) {
      refused = false;
      deps.drained();
    }
  };
  const write = (type: string, data: unknown, id: string | undefined) => {
    const { agentId, clock, chance } = deps;
    const text = writeFrame({ type, id: id ?? chance.uuidv7(), agentId, at: clock.now(), data });
    // Never sent by waiting: what it tells also goes through the outbox.
    if (text === null) deps.log.warn('A frame is larger than the tunnel carries; it is left out', { type });
    else socket.send(text, sent);
  };

  return {
    send(type, data, id) {
      if (!open) return false;
      if (socket.bufferedAmount > OUTGOING_MAX_BYTES) {
        refused = true;
        return false;
      }
      write(type, data, id);
      return true;
    },
    answer(type, data, id) {
      if (!open) return;
      write(type, data, id);
      if (full || socket.bufferedAmount <= OUTGOING_HOLD_BYTES) return;
      full = true;
      deps.onFull(true);
    },
    close() {
      open = false;
    },
  };
}
