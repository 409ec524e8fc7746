import { randomBytes } from 'node:crypto';

/** Structurally the `Clock` of reconciler/ports.ts, which `system` may not import. */
export interface Clock {
  now(): Date;
  /** Milliseconds from an arbitrary start that never go back. */
  monotonicMs(): number;
  /** Resolves after `ms`; rejects with the signal's reason as soon as it aborts. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}

/** Structurally the `Chance` of reconciler/ports.ts. */
export interface Chance {
  /** Uniform in [0, 1). */
  uniform(): number;
  /** RFC 9562 UUIDv7. */
  uuidv7(): string;
}

/** The longest wait one timer of Node can hold; anything above it would fire at once. */
const TIMER_MAX_MS = 2 ** 31 - 1;

/** The machine's own time. Waits of any length; a wait of zero or less still yields once. */
export function createSystemClock(): Clock {
  return {
    now: () => new Date(),
    monotonicMs: () => performance.now(),
    async sleep(ms, signal) {
      if (Number.isNaN(ms)) throw new RangeError('expected a wait in milliseconds, found NaN');
      const until = performance.now() + ms;
      do {
        await timer(Math.min(Math.max(0, until - performance.now()), TIMER_MAX_MS), signal);
      } while (until - performance.now() > 1);
    },
  };
}

function timer(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(reasonOf(signal));
      return;
    }
    const onAbort = () => {
      clearTimeout(handle);
      reject(reasonOf(signal));
    };
    const handle = setTimeout(() => {
      signal.removeEventListener('abort', onAbort);
      resolve();
    }, ms);
    signal.addEventListener('abort', onAbort, { once: true });
  });
}

/** The reason as it is: callers compare it with what they aborted with. */
function reasonOf(signal: AbortSignal): Error {
  return signal.reason as Error;
}

/**
 * The machine's randomness. `uuidv7` never goes back and never repeats within the process: when the millisecond is the
 * same, or the clock was set back, the last timestamp is kept and a 12-bit counter raised; a full counter borrows the
 * next millisecond (RFC 9562, section 6.2, method 1 and "counter rollover").
 */
export function createSystemChance(nowMs: () => number = Date.now): Chance {
  let timestamp = 0;
  let counter = 0;
  return {
    uniform: () => Math.random(),
    uuidv7() {
      const random = randomBytes(10);
      const now = Math.floor(nowMs());
      if (now > timestamp) {
        timestamp = now;
        // The highest bit begins as 0, so that at least 2,048 ids fit into every millisecond.
        counter = random.readUInt16BE(8) & 0x7ff;
      } else if (counter < 0xfff) {
        counter += 1;
      } else {
        timestamp += 1;
        counter = random.readUInt16BE(8) & 0x7ff;
      }
      const hex =
        timestamp.toString(16).padStart(12, '0') +
        (0x7000 | counter).toString(16) +
        (0x8000 | (random.readUInt16BE(0) & 0x3fff)).toString(16) +
        random.toString('hex', 2, 8);
      return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
    },
  };
}

/** A clock that stands still until it is moved. For tests, and for replaying a plan at another time. */
export interface ManualClock extends Clock {
  /** Moves both times forward and wakes, in order, whoever sleeps until then; those that sleep again are woken again. */
  advance(ms: number): Promise<void>;
  /** Sets the wall clock alone, forwards or back, as an administrator or NTP would. Wakes nobody. */
  set(now: Date): void;
  /** How many sleep now. */
  sleepers(): number;
}

interface Sleeper {
  readonly at: number;
  readonly wake: () => void;
}

export function createManualClock(start: Date): ManualClock {
  let wall = start.getTime();
  let monotonic = 0;
  const sleeping = new Set<Sleeper>();

  const move = (ms: number) => {
    wall += ms;
    monotonic += ms;
  };
  const nextBefore = (limit: number): Sleeper | undefined => {
    let next: Sleeper | undefined;
    for (const sleeper of sleeping) {
      if (sleeper.at <= limit && (next === undefined || sleeper.at < next.at)) next = sleeper;
    }
    return next;
  };

  return {
    now: () => new Date(wall),
    monotonicMs: () => monotonic,
    sleepers: () => sleeping.size,
    set(now) {
      wall = now.getTime();
    },
    sleep(ms, signal) {
      return new Promise((resolve, reject) => {
        if (signal.aborted) {
          reject(reasonOf(signal));
          return;
        }
        const onAbort = () => {
          sleeping.delete(sleeper);
          reject(reasonOf(signal));
        };
        const sleeper: Sleeper = {
          at: monotonic + Math.max(0, ms),
          wake: () => {
            sleeping.delete(sleeper);
            signal.removeEventListener('abort', onAbort);
            resolve();
          },
        };
        signal.addEventListener('abort', onAbort, { once: true });
        sleeping.add(sleeper);
      });
    },
    async advance(ms) {
      const end = monotonic + ms;
      for (let next = nextBefore(end); next !== undefined; next = nextBefore(end)) {
        move(Math.max(0, next.at - monotonic));
        next.wake();
        // One turn of the event loop, so that the woken code can go to sleep again before time moves on.
        await new Promise((resolve) => setImmediate(resolve));
      }
      move(Math.max(0, end - monotonic));
      await new Promise((resolve) => setImmediate(resolve));
    },
  };
}
