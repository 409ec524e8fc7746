import type { CommandReceipt } from '../../reconciler/ports.ts';
import type { Log } from '../../system/log.ts';
import { ACK_BATCH, COMMANDS_WAITING_MAX, COMMANDS_WAITING_MAX_BYTES } from './websocket-limits.ts';

/** Data of an `edgeflows.ack` frame. */
export interface Acknowledgement {
  readonly ids: string[];
  readonly refused?: { readonly id: string; readonly code: string; readonly message: string }[];
}

export interface CommandQueueDeps {
  /** Verifies and persists. */
  receive(jws: string): Promise<CommandReceipt>;
  acknowledge(ack: Acknowledgement): void;
  /** True when as many wait as may: read no more. False when there is room again. */
  onFull(full: boolean): void;
  readonly log: Log;
}

/** Commands of one connection, one after the other, acknowledged when they are on disk. What finds no room is not answered. */
export interface CommandQueue {
  push(id: string, jws: string): void;
  /** Resolves when nothing waits and everything is answered. */
  idle(): Promise<void>;
  /** Forgets what waits: it was not acknowledged, so it comes again. */
  close(): void;
}

export function createCommandQueue(deps: CommandQueueDeps): CommandQueue {
  const waiting: { readonly id: string; readonly jws: string }[] = [];
  let bytes = 0;
  let full = false;
  let closed = false;
  let working: Promise<void> | null = null;

  const measure = () => {
    const over = waiting.length >= COMMANDS_WAITING_MAX || bytes >= COMMANDS_WAITING_MAX_BYTES;
    // Half empty before it is read again: not one frame at a time.
    const roomy = waiting.length <= COMMANDS_WAITING_MAX / 2 && bytes <= COMMANDS_WAITING_MAX_BYTES / 2;
    if (full ? !roomy : !over) return;
    full = !full;
    deps.onFull(full);
  };

  const receive = async (jws: string): Promise<CommandReceipt> => {
    try {
      return await deps.receive(jws);
    } catch (error) {
      deps.log.error('A command could not be persisted; it is not acknowledged, so it comes again', {
        error,
      });
      return { kind: 'busy', message: 'not persisted', afterMs: 0 };
    }
  };

  const work = async () => {
    let ids: string[] = [];
    let refused: NonNullable<Acknowledgement['refused']> = [];
    const flush = () => {
      if (!closed && ids.length + refused.length > 0)
        deps.acknowledge(refused.length === 0 ? { ids } : { ids, refused });
      ids = [];
      refused = [];
    };
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      bytes -= next.jws.length;
      measure();
      const receipt = await receive(next.jws);
      switch (receipt.kind) {
        case 'accepted':
        case 'repeated':
          ids.push(next.id);
          break;
        case 'refused':
          refused.push({ id: next.id, code: receipt.code, message: receipt.message.slice(0, 500) });
          break;
        case 'busy':
          deps.log.debug('A command found no room', { answer: receipt.message });
          break;
      }
      if (closed) break;
      if (waiting.length === 0 || ids.length + refused.length >= ACK_BATCH) flush();
    }
    working = null;
  };

  return {
    push(id, jws) {
      if (closed) return;
      waiting.push({ id, jws });
      bytes += jws.length;
      measure();
      working ??= work();
    },
    async idle() {
      while (working !== null) await working;
    },
    close() {
      closed = true;
      waiting.length = 0;
      bytes = 0;
    },
  };
}
