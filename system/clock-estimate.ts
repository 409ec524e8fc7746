/** How far a server's clock is from ours, in milliseconds: theirs minus ours, give or take `errorMs`. */
export interface ClockOffset {
  readonly offsetMs: number;
  readonly errorMs: number;
}

export interface ClockEstimate {
  /** One answer's `Date`; what is known now. */
  add(measured: ClockOffset): ClockOffset;
  value(): ClockOffset | null;
}

/** Crystals are good to a few hundredths of a per mille: what was known gets less exact by this much. */
const DRIFT = 1e-4;

/**
 * One offset out of many answers. Each says that the truth lies in an interval (the header is cut to whole seconds, and was
 * written some time between question and answer), so it lies where they overlap: the bound gets smaller than any one answer
 * allows, and a slow answer changes nothing. Where they do not overlap a clock was set, and the newest one counts alone.
 */
export function createClockEstimate(monotonicMs: () => number): ClockEstimate {
  let known: { from: number; to: number; atMs: number } | null = null;
  const drifted = () => {
    if (known === null) return null;
    const drift = (monotonicMs() - known.atMs) * DRIFT;
    return { from: known.from - drift, to: known.to + drift };
  };
  const value = (): ClockOffset | null => {
    const range = drifted();
    if (range === null) return null;
    return {
      offsetMs: Math.round((range.from + range.to) / 2),
      errorMs: Math.ceil((range.to - range.from) / 2),
    };
  };
  return {
    add({ offsetMs, errorMs }) {
      const before = drifted();
      const measured = { from: offsetMs - errorMs, to: offsetMs + errorMs };
      const from = Math.max(before?.from ?? Number.NEGATIVE_INFINITY, measured.from);
      const to = Math.min(before?.to ?? Number.POSITIVE_INFINITY, measured.to);
      known = { ...(from <= to ? { from, to } : measured), atMs: monotonicMs() };
      return value() as ClockOffset;
    },
    value,
  };
}
