import type { RunLogAck } from '../schemas/tunnel-frame.ts';

/** Bytes of a stream on their way at most: past it the console has to acknowledge some first. */
const WINDOW_BYTES = 1024 * 1024;
/** So long without an acknowledgement that moves it on, what is on its way is sent again; doubled each time. */
const RESEND_AFTER_MS = 5_000;
const RESEND_AFTER_MAX_MS = 160_000;

/** How far stdout or stderr of one attempt has come at the console. */
export interface LogStream {
  readonly position: Pick<RunLogAck, 'run_id' | 'attempt' | 'stream'>;
  /** The next byte to send. */
  next(): number;
  /** How many bytes may be sent from there now. */
  room(): number;
  sent(bytes: number, nowMs: number): void;
  /** The console has everything before `offset`, or wants it from there: goes on, back or forward. */
  acknowledged(offset: number, nowMs: number): void;
  /** Another link: what was not acknowledged is sent again. */
  rewind(): void;
  /** As `rewind`, when the console has said nothing for too long. In how many ms to ask again; null when nothing is on its way. */
  rewindIfLate(nowMs: number): number | null;
  /** The attempt has ended. */
  ended(nowMs: number): void;
  endedAtMs(): number | null;
  /** Nothing is left to read behind `offset`, and the attempt had ended before that was seen. */
  readToEnd(offset: number): void;
  /** The end is known and the console has everything. */
  complete(): boolean;
}

export function createLogStream(position: LogStream['position']): LogStream {
  let acked = 0;
  let next = 0;
  let end: number | null = null;
  let endedAtMs: number | null = null;
  let quietSinceMs = 0;
  let resendAfterMs = RESEND_AFTER_MS;

  return {
    position,
    next: () => next,
    room: () => (end !== null && next >= end ? 0 : Math.max(0, acked + WINDOW_BYTES - next)),
    sent(bytes, nowMs) {
      if (next === acked) quietSinceMs = nowMs;
      next += bytes;
    },
    acknowledged(offset, nowMs) {
      if (offset > acked) resendAfterMs = RESEND_AFTER_MS;
      if (offset !== acked) quietSinceMs = nowMs;
      // Lower than before: the console has lost some. Higher than what was sent: it had that from an earlier link.
      if (offset < acked || offset > next) next = offset;
      acked = offset;
    },
    rewind() {
      next = acked;
      resendAfterMs = RESEND_AFTER_MS;
    },
    rewindIfLate(nowMs) {
      if (next === acked) return null;
      const leftMs = quietSinceMs + resendAfterMs - nowMs;
      if (leftMs > 0) return leftMs;
      next = acked;
      resendAfterMs = Math.min(RESEND_AFTER_MAX_MS, resendAfterMs * 2);
      return 0;
    },
    ended(nowMs) {
      endedAtMs ??= nowMs;
    },
    endedAtMs: () => endedAtMs,
    readToEnd(offset) {
      end = offset;
    },
    complete: () => end !== null && acked >= end,
  };
}
