import type { IncomingMessage } from 'node:http';
import { HttpError } from './http-error.ts';

/** Slower than this on average over a whole window of waiting, and the exchange ends as `stalled`. */
export interface StallFloor {
  readonly bytesPerSecond: number;
  readonly overMs: number;
}

export interface BodyGuard {
  readonly exchange: string;
  readonly maxBytes: number;
  readonly stallFloor: StallFloor | null;
  /** Turns what the socket threw into what the caller is told: abort reason, deadline, or an HttpError. */
  explain(error: unknown): unknown;
  /** Throws when we ended the exchange: a body that lasts until the connection closes (RFC 9112, 6.3) then looks whole. */
  throwIfGivenUp(): void;
  /** Called once when the body has ended, failed or been given up. */
  release(): void;
}

/**
 * The bytes of an answer, capped and held to a floor of speed. Only time spent waiting for the server counts:
 * a slow disk on our side is not the server's fault.
 */
export async function* guardedBody(message: IncomingMessage, guard: BodyGuard): AsyncGenerator<Uint8Array> {
  const chunks = message[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  const floor = guard.stallFloor;
  const leastBytes = floor === null ? 0 : (floor.bytesPerSecond * floor.overMs) / 1_000;
  let received = 0;
  let waitedMs = 0;
  let windowBytes = 0;
  let whole = false;

  const next = async () => {
    if (floor === null) return await chunks.next();
    const started = performance.now();
    const timer = setTimeout(() => message.destroy(stalled()), Math.max(1, floor.overMs - waitedMs));
    try {
      return await chunks.next();
    } finally {
      clearTimeout(timer);
      waitedMs += performance.now() - started;
    }
  };
  const stalled = () => {
    const seconds = (floor as StallFloor).overMs / 1_000;
    const expected = `at least ${leastBytes} bytes in ${seconds} s`;
    return new HttpError(
      'stalled',
      `${guard.exchange}: expected ${expected}, found ${windowBytes}; the server is too slow`,
    );
  };

  try {
    for (;;) {
      const step = await next();
      if (step.done === true) {
        guard.throwIfGivenUp();
        whole = true;
        return;
      }
      received += step.value.byteLength;
      windowBytes += step.value.byteLength;
      if (received > guard.maxBytes) {
        throw new HttpError(
          'too_large',
          `${guard.exchange}: expected at most ${guard.maxBytes} bytes, found more`,
        );
      }
      if (windowBytes >= leastBytes) {
        waitedMs = 0;
        windowBytes = 0;
      } else if (floor !== null && waitedMs >= floor.overMs) {
        throw stalled();
      }
      yield step.value;
    }
  } catch (error) {
    throw guard.explain(error);
  } finally {
    // A connection with unread bytes cannot be used again.
    if (!whole) message.destroy();
    guard.release();
  }
}
