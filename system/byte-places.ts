/** Where each of a number of bytes in a row begins in the output: side by side, but for what escapes spread out. */
export interface BytePlaces {
  reset(start: number, count: number): void;
  copyFrom(other: BytePlaces): void;
  push(start: number): void;
  /** Forgets all but the last `count`. */
  keep(count: number): void;
  /** Offset of the first, else Infinity. */
  first(): number;
  /** Offset of the last but `count - 1`. */
  fromEnd(count: number): number;
  /** Whether they are the bytes before `end` as they stand, or none. */
  adjoin(end: number): boolean;
  readonly runs: readonly Readonly<Run>[];
}

interface Run {
  start: number;
  count: number;
}

export function createBytePlaces(): BytePlaces {
  let runs: Run[] = [];
  let total = 0;
  return {
    get runs() {
      return runs;
    },
    reset(start, count) {
      if (runs.length > 0) runs = [];
      if (count > 0) runs.push({ start, count });
      total = count;
    },
    copyFrom(other) {
      runs = other.runs.map((run) => ({ ...run }));
      total = runs.reduce((sum, { count }) => sum + count, 0);
    },
    push(start) {
      const last = runs.at(-1);
      if (last !== undefined && last.start + last.count === start) last.count += 1;
      else runs.push({ start, count: 1 });
      total += 1;
    },
    keep(count) {
      let dropped = 0;
      while (total > count) {
        const run = runs[dropped] as Run;
        const less = Math.min(run.count, total - count);
        run.start += less;
        run.count -= less;
        total -= less;
        if (run.count === 0) dropped += 1;
      }
      if (dropped > 0) runs.splice(0, dropped);
    },
    first: () => runs[0]?.start ?? Number.POSITIVE_INFINITY,
    fromEnd(count) {
      let left = count;
      for (let index = runs.length - 1; ; index--) {
        const run = runs[index] as Run;
        if (run.count >= left) return run.start + run.count - left;
        left -= run.count;
      }
    },
    adjoin(end) {
      const [run] = runs;
      return run === undefined || (runs.length === 1 && run.start + run.count === end);
    },
  };
}
