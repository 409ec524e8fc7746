import { type ComponentChildren, createContext } from 'preact';
import { useContext, useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { useFormat } from '../text/format.ts';
import { useWords } from '../text/words.ts';

const EVERY_MS = 10_000;
/** As `Format.ago` has it; the clock of a page is as exact. */
const JUST_NOW_MS = 10_000;

interface Clock {
  readonly now: Date;
  readonly correct: (offsetMs: number) => void;
}

const ClockContext = createContext<Clock | null>(null);
/** An offset below this is the time an answer takes. */
const OFFSET_MIN_MS = 3_000;

/** One timer for all times of a page, on the console's clock: a browser whose clock is wrong would show ages that are. */
export function ClockProvider({ children }: { children: ComponentChildren }) {
  const offset = useRef(0);
  const [now, setNow] = useState(() => new Date());
  useEffect(() => {
    const tick = () => setNow(new Date(Date.now() + offset.current));
    const timer = setInterval(tick, EVERY_MS);
    document.addEventListener('visibilitychange', tick);
    return () => {
      clearInterval(timer);
      document.removeEventListener('visibilitychange', tick);
    };
  }, []);
  const correct = useMemo(
    () => (found: number) => {
      const next = Math.abs(found) < OFFSET_MIN_MS ? 0 : found;
      if (Math.abs(next - offset.current) < OFFSET_MIN_MS) return;
      offset.current = next;
      setNow(new Date(Date.now() + next));
    },
    [],
  );
  const clock = useMemo(() => ({ now, correct }), [now, correct]);
  return <ClockContext.Provider value={clock}>{children}</ClockContext.Provider>;
}

export function useClock(): Clock {
  const clock = useContext(ClockContext);
  if (clock === null) throw new Error('expected a ClockProvider above');
  return clock;
}

/** The console's time, new every ten seconds. */
export function useNow(): Date {
  return useClock().now;
}

/** `3 min. ago`, exact on hover; `clock` writes the time of day in place of the age. */
export function Time({ at, clock }: { at: string | null; clock?: boolean }) {
  const format = useFormat();
  const words = useWords();
  const now = useNow();
  if (at === null) return <span class="quiet">{words.never}</span>;
  const time = new Date(at);
  return (
    <time dateTime={at} title={format.exact(time)}>
      {clock === true ? format.clock(time, now) : format.ago(time, now)}
    </time>
  );
}

/** For how long it has been so: `just now`, then `42 s`. */
export function Age({ since }: { since: string }) {
  const format = useFormat();
  const now = useNow();
  const ms = now.getTime() - Date.parse(since);
  return (
    <span title={format.exact(new Date(since))}>
      {ms < JUST_NOW_MS ? format.ago(now, now) : format.duration(ms)}
    </span>
  );
}

/** How long from `from` until `to`, or until now. */
export function Duration({ from, to }: { from: string | null; to?: string | null }) {
  const format = useFormat();
  const now = useNow();
  if (from === null) return <span class="quiet">–</span>;
  const end = to === undefined || to === null ? now : new Date(to);
  return <span>{format.duration(Math.max(0, end.getTime() - Date.parse(from)))}</span>;
}
