import type { Clock } from '../reconciler/ports.ts';
import type { EventDraft } from '../schemas/event.ts';
import type { Log } from '../system/log.ts';

/** Events that wait in memory for room on a full disk. */
const WAITING_MAX = 1_000;

export interface WaitingEvent {
  readonly draft: EventDraft;
  /** When it happened. */
  readonly time: Date;
  readonly repeated: number;
}

export interface EventBacklog {
  /** False when too many wait already: the first ones say what went wrong, so they stay and this one is only counted. */
  add(entry: WaitingEvent): boolean;
  /** Says with an event of its own that events were lost. */
  note(message: string): void;
  /** Writes what waits, in order, as far as the disk lets it. Never throws. */
  drain(): void;
}

/** Between those who emit and the file: what cannot be written now is tried again with the next event or read. */
export function createEventBacklog(options: {
  append: (entry: WaitingEvent) => void;
  clock: Clock;
  log: Log;
}): EventBacklog {
  const { append, clock, log } = options;
  const waiting: WaitingEvent[] = [];
  let missed = 0;
  let full = false;

  const note = (message: string) => {
    waiting.push({
      draft: { severity: 'error', reason: 'EventsDropped', message },
      time: clock.now(),
      repeated: 0,
    });
  };

  return {
    note,
    add(entry) {
      if (waiting.length >= WAITING_MAX) {
        missed += 1;
        return false;
      }
      waiting.push(entry);
      return true;
    },
    drain() {
      while (waiting.length > 0 || missed > 0) {
        if (waiting.length === 0) {
          note(`${missed} events were not written: expected room on the disk, found none for too long.`);
          missed = 0;
        }
        const next = waiting.shift() as WaitingEvent;
        try {
          append(next);
        } catch (error) {
          waiting.unshift(next);
          if (!full) log.error('Events wait in memory: events.jsonl cannot be written', { error });
          full = true;
          return;
        }
      }
      if (full) log.info('events.jsonl can be written again');
      full = false;
    },
  };
}
