import type { Session } from './session.ts';

/** Frames of one session that wait for the one before them; beyond it the agent is not read for a while. */
const FRAMES_WAITING = 64;

/** What agents have sent and what has not been done yet. */
export interface Inboxes<T> {
  /** Does it in its turn: of one session, one after the other in the order they came. */
  add(session: Session, frame: T): void;
  isFull(session: Session): boolean;
  /** Resolves when everything that came in has been done. */
  settled(): Promise<void>;
}

/**
 * Storing waits for the disk, and what an agent says must not overtake what it said before: the end of a run its beginning, an
 * acknowledgement what it acknowledges. `handle` must not reject.
 */
export function createInboxes<T>(
  handle: (session: Session, frame: T) => Promise<void> | void,
  /** There is room again. */
  onDone: (session: Session) => void,
): Inboxes<T> {
  const waiting = new Map<Session, T[]>();
  const working = new Set<Promise<void>>();

  const work = async (session: Session, frames: T[]): Promise<void> => {
    for (let next = frames.shift(); next !== undefined; next = frames.shift()) {
      const done = handle(session, next);
      if (done !== undefined) await done;
    }
    waiting.delete(session);
    onDone(session);
  };

  return {
    add(session, frame) {
      const there = waiting.get(session);
      if (there !== undefined) {
        there.push(frame);
        return;
      }
      const frames = [frame];
      waiting.set(session, frames);
      const kept = work(session, frames).finally(() => working.delete(kept));
      working.add(kept);
    },
    isFull: (session) => (waiting.get(session)?.length ?? 0) >= FRAMES_WAITING,
    async settled() {
      while (working.size > 0) await Promise.all(working);
    },
  };
}
