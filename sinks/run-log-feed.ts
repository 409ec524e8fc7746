import type { Clock, RunListener, RunOutputReader, TunnelLink } from '../reconciler/ports.ts';
import type { RunLog, RunLogAck } from '../schemas/tunnel-frame.ts';
import { createLogStream, type LogStream } from './log-stream.ts';
import { createWakeUp, type WakeUp } from './wake-up.ts';

/** Of `data` before base64. */
const CHUNK_BYTES = 64 * 1024;
const STREAMS_AT_ONCE = 64;
const STREAMS_MAX = 1_000;
/** How often a file is looked at that had nothing new. */
const POLL_MS = 100;
/** How long the rest of a run that has ended is offered to a console that does not take it. */
const KEEP_AFTER_END_MS = 10 * 60_000;
const IDLE_MS = 60_000;

/** Nothing here throws or waits: a slow console holds no run and takes no memory. */
export interface RunLogFeed extends Pick<RunListener, 'started'> {
  /** The run has ended: what it printed last is sent, then no more. */
  ended(runId: string): void;
  opened(link: TunnelLink): void;
  closed(): void;
  drained(): void;
  acknowledged(position: RunLogAck): void;
}

/**
 * Sends what runs print while they go on, from the files of their output (contract, section 8): redacted and cut already, and
 * bytes only, so that a line of 50 MB is like any other. At most 1 MiB of a stream is on its way without an
 * acknowledgement; after a reconnect it goes on where the console says. Files are looked at only while a link is open.
 */
export function createRunLogFeed(deps: {
  output: RunOutputReader;
  clock: Clock;
  /** A file that could not be read: its stream is given up. */
  onFault: (error: unknown) => void;
}): RunLogFeed {
  const { output, clock } = deps;
  const streams = new Map<string, LogStream>();
  /** Of the open link. */
  let following: { readonly closing: AbortController; readonly wakeUp: WakeUp } | null = null;

  async function follow(link: TunnelLink, wakeUp: WakeUp, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      forgetOld();
      const chosen = [...streams.values()].slice(0, STREAMS_AT_ONCE);
      let waitMs = IDLE_MS;
      for (const stream of chosen) {
        const next = await advance(stream, link, signal);
        if (signal.aborted) return;
        waitMs = Math.min(waitMs, next);
      }
      if (waitMs > 0) await wakeUp.within(waitMs, signal).catch(() => {});
    }
  }

  /** Sends one chunk when there is one; in how many ms to look again unless something happens before. */
  async function advance(stream: LogStream, link: TunnelLink, signal: AbortSignal): Promise<number> {
    const lateMs = stream.rewindIfLate(clock.monotonicMs()) ?? IDLE_MS;
    const room = stream.room();
    if (room === 0) return lateMs;
    const offset = stream.next();
    const hadEnded = stream.endedAtMs() !== null;
    let bytes: Uint8Array;
    try {
      bytes = await output.read({ ...stream.position, offset }, Math.min(room, CHUNK_BYTES));
    } catch (error) {
      streams.delete(keyOf(stream.position));
      deps.onFault(error);
      return 0;
    }
    // An acknowledgement, or the end of the link, came meanwhile: what was read is of no use.
    if (signal.aborted || stream.next() !== offset) return 0;
    if (bytes.length === 0) {
      if (!hadEnded) return Math.min(lateMs, POLL_MS);
      stream.readToEnd(offset);
      // Another stream takes its place at once.
      return forgetIfComplete(stream) ? 0 : lateMs;
    }
    const data = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
    const frame: RunLog = { ...stream.position, offset, data };
    // The link is full: `drained` wakes this up.
    if (!link.send('edgeflows.run.log', frame)) return lateMs;
    stream.sent(bytes.length, clock.monotonicMs());
    return 0;
  }

  function forgetIfComplete(stream: LogStream): boolean {
    return stream.complete() && streams.delete(keyOf(stream.position));
  }

  function forgetOld(): void {
    const before = clock.monotonicMs() - KEEP_AFTER_END_MS;
    for (const [key, stream] of streams) {
      if ((stream.endedAtMs() ?? Number.POSITIVE_INFINITY) <= before) streams.delete(key);
    }
  }

  function add(position: LogStream['position']): void {
    if (streams.has(keyOf(position))) return;
    if (streams.size >= STREAMS_MAX) {
      const ended = [...streams].find(([, stream]) => stream.endedAtMs() !== null);
      streams.delete(ended?.[0] ?? (streams.keys().next().value as string));
    }
    streams.set(keyOf(position), createLogStream(position));
  }

  function endAttempts(runId: string, before: number): void {
    for (const stream of streams.values()) {
      const { run_id, attempt } = stream.position;
      if (run_id === runId && attempt < before) stream.ended(clock.monotonicMs());
    }
  }

  function closed(): void {
    following?.closing.abort();
    following = null;
  }

  return {
    started({ run_id, attempt }) {
      forgetOld();
      endAttempts(run_id, attempt);
      for (const stream of ['stdout', 'stderr'] as const) add({ run_id, attempt, stream });
      following?.wakeUp.now();
    },
    ended(runId) {
      endAttempts(runId, Number.POSITIVE_INFINITY);
      following?.wakeUp.now();
    },
    opened(link) {
      closed();
      for (const stream of streams.values()) stream.rewind();
      following = { closing: new AbortController(), wakeUp: createWakeUp(clock) };
      follow(link, following.wakeUp, following.closing.signal).catch(deps.onFault);
    },
    closed,
    drained: () => following?.wakeUp.now(),
    acknowledged(position) {
      const stream = streams.get(keyOf(position));
      if (stream === undefined) return;
      stream.acknowledged(position.offset, clock.monotonicMs());
      forgetIfComplete(stream);
      following?.wakeUp.now();
    },
  };
}

function keyOf({ run_id, attempt, stream }: LogStream['position']): string {
  return `${run_id}/${attempt}/${stream}`;
}
