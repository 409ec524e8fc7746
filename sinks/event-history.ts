import fs from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Event } from '../schemas/event.ts';
import { parseLine } from './event-chain.ts';
import { createEventReader } from './event-reader.ts';
import { eventLogFiles } from './event-verify.ts';
import { readLines } from './line-reader.ts';

const LOOK_EVERY_MS = 100;
const BATCH = 500;

/** The event log as somebody reads it who does not write it: another process may be doing that at the same time. */
export interface ReadOnlyEventHistory {
  /** The last `count` events of the log in force, oldest first. */
  tail(count: number): Promise<Event[]>;
  /** All events of the log in force that are still there, oldest first. */
  all(): Iterable<Event>;
  /** Events with seq ≥ from, as they are written, until the signal aborts or the log is removed; then it ends. */
  follow(from: number, signal: AbortSignal): AsyncIterable<Event>;
}

export function openEventHistory(directory: string): ReadOnlyEventHistory {
  const files = () =>
    eventLogFiles(directory).flatMap((file) => {
      const first = firstEvent(file);
      return first === null ? [] : [{ file, first: { logId: first.log_id, seq: first.seq } }];
    });
  const reader = createEventReader({ files, logId: () => files().at(-1)?.first.logId ?? '' });
  return {
    async tail(count) {
      const known = files();
      const last = known.at(-1);
      if (last === undefined) return [];
      const end = lastSeq(last.file, last.first.seq);
      return reader.read(Math.max(1, end - count + 1), count);
    },
    *all() {
      let next = files()[0]?.first.seq ?? 1;
      for (;;) {
        const events = reader.read(next, BATCH);
        yield* events;
        if (events.length < BATCH) return;
        next = (events.at(-1)?.seq ?? next) + 1;
      }
    },
    async *follow(from, signal) {
      let next = from;
      let size = -1;
      while (!signal.aborted) {
        const last = eventLogFiles(directory).at(-1);
        // somebody removed the state: nothing will ever come
        if (last === undefined && size > 0) return;
        const grown = last === undefined ? 0 : fs.statSync(last).size;
        if (grown !== size) {
          size = grown;
          for (;;) {
            const events = reader.read(next, BATCH);
            yield* events;
            next = (events.at(-1)?.seq ?? next - 1) + 1;
            if (events.length < BATCH) break;
          }
        }
        await sleep(LOOK_EVERY_MS, undefined, { signal }).catch(() => undefined);
      }
    },
  };
}

function firstEvent(file: string): Event | null {
  for (const line of readLines(file)) {
    const event = line.whole ? parseLine(line.bytes) : 'unfinished';
    return typeof event === 'string' ? null : event;
  }
  return null;
}

/** A log has no gaps, so its lines count its events. */
function lastSeq(file: string, first: number): number {
  let seq = first - 1;
  for (const line of readLines(file)) if (line.whole) seq += 1;
  return seq;
}
