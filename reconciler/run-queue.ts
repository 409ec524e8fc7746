/** A run that waits for its turn. */
export interface QueuedRun {
  readonly runId: string;
  readonly flow: string;
  /** Name of the lock it needs, as far as is known before it begins. */
  readonly lock: string | null;
}

/**
 * Who may begin, oldest first: runs of one flow one after another, at most one run a lock, and nobody waits behind a run that
 * waits for something else. Memory only; the run store is the truth.
 */
export interface RunQueue {
  /** Behind all others; nothing when it is there already. */
  add(run: QueuedRun): void;
  /** One of an earlier life that waits for another attempt: its flow is its own, as after `park`. */
  addParked(run: QueuedRun): void;
  /** The oldest whose flow is idle and whose lock is free; both are its own from now on. Null when nobody may begin. */
  next(): QueuedRun | null;
  /** It has not begun after all, or needs another lock than was known: back to its place in the queue. */
  putBack(run: QueuedRun, lock?: string | null): void;
  /** It waits for another attempt: its lock is free, its flow still its own. */
  park(runId: string): void;
  /** A parked one waits for its turn again, in its old place. False when it is not parked. */
  unpark(runId: string): boolean;
  /** It has ended. */
  release(runId: string): void;
  /** True for one that has not begun. */
  waits(runId: string): boolean;
  /** Takes out one that has not begun. */
  remove(runId: string): void;
  /** Ids of a flow that wait, oldest first, and then the one that has begun (running or parked). */
  ofFlow(flow: string): readonly string[];
  /** The one that has begun, else the one that waits longest, of a flow. */
  standing(flow: string): string | null;
  /** Those that have not begun. */
  readonly size: number;
}

interface Entry extends QueuedRun {
  readonly order: number;
}

interface Lane {
  readonly waiting: Entry[];
  begun: Entry | null;
}

export function createRunQueue(): RunQueue {
  const lanes = new Map<string, Lane>();
  const flowOf = new Map<string, string>();
  /** Name to the run that has it. */
  const locks = new Map<string, string>();
  const parked = new Set<string>();
  let orders = 0;
  let size = 0;

  const laneOf = (flow: string): Lane => {
    const known = lanes.get(flow);
    if (known !== undefined) return known;
    const lane: Lane = { waiting: [], begun: null };
    lanes.set(flow, lane);
    return lane;
  };
  const tidy = (flow: string, lane: Lane) => {
    if (lane.begun === null && lane.waiting.length === 0) lanes.delete(flow);
  };
  const unlock = (runId: string, lock: string | null) => {
    if (lock !== null && locks.get(lock) === runId) locks.delete(lock);
  };
  /** The one that has begun goes back to the head of its flow. */
  const goBack = (lane: Lane, entry: Entry) => {
    unlock(entry.runId, entry.lock);
    lane.begun = null;
    lane.waiting.unshift(entry);
    size += 1;
  };
  const begunOf = (runId: string) => {
    const lane = lanes.get(flowOf.get(runId) ?? '');
    return lane?.begun?.runId === runId ? { lane, entry: lane.begun } : null;
  };

  return {
    add({ runId, flow, lock }) {
      if (flowOf.has(runId)) return;
      orders += 1;
      size += 1;
      laneOf(flow).waiting.push({ runId, flow, lock, order: orders });
      flowOf.set(runId, flow);
    },
    addParked({ runId, flow, lock }) {
      const lane = laneOf(flow);
      orders += 1;
      flowOf.set(runId, flow);
      lane.begun = { runId, flow, lock, order: orders };
      parked.add(runId);
    },
    next() {
      let best: { lane: Lane; entry: Entry } | null = null;
      for (const lane of lanes.values()) {
        const [entry] = lane.waiting;
        if (entry === undefined || lane.begun !== null) continue;
        if (entry.lock !== null && locks.has(entry.lock)) continue;
        if (best === null || entry.order < best.entry.order) best = { lane, entry };
      }
      if (best === null) return null;
      const { lane, entry } = best;
      lane.waiting.shift();
      lane.begun = entry;
      size -= 1;
      if (entry.lock !== null) locks.set(entry.lock, entry.runId);
      return entry;
    },
    putBack({ runId }, lock) {
      const found = begunOf(runId);
      if (found === null) return;
      unlock(runId, found.entry.lock);
      goBack(found.lane, lock === undefined ? found.entry : { ...found.entry, lock });
    },
    park(runId) {
      const found = begunOf(runId);
      if (found === null) return;
      unlock(runId, found.entry.lock);
      parked.add(runId);
    },
    unpark(runId) {
      const found = begunOf(runId);
      if (!parked.delete(runId) || found === null) return false;
      goBack(found.lane, found.entry);
      return true;
    },
    release(runId) {
      const found = begunOf(runId);
      parked.delete(runId);
      flowOf.delete(runId);
      if (found === null) return;
      unlock(runId, found.entry.lock);
      found.lane.begun = null;
      tidy(found.entry.flow, found.lane);
    },
    waits(runId) {
      const flow = flowOf.get(runId);
      return flow !== undefined && lanes.get(flow)?.begun?.runId !== runId;
    },
    remove(runId) {
      const flow = flowOf.get(runId) ?? '';
      const lane = lanes.get(flow);
      const at = lane?.waiting.findIndex((entry) => entry.runId === runId) ?? -1;
      if (lane === undefined || at < 0) return;
      lane.waiting.splice(at, 1);
      size -= 1;
      flowOf.delete(runId);
      tidy(flow, lane);
    },
    ofFlow(flow) {
      const lane = lanes.get(flow);
      const waiting = lane?.waiting.map((entry) => entry.runId) ?? [];
      return lane?.begun == null ? waiting : [...waiting, lane.begun.runId];
    },
    standing(flow) {
      const lane = lanes.get(flow);
      return lane?.begun?.runId ?? lane?.waiting[0]?.runId ?? null;
    },
    get size() {
      return size;
    },
  };
}
