import type { EventDraft } from '../schemas/event.ts';
import type { Clock, EventSink, RunRecord, RunStore } from './ports.ts';
import type { AgentRecords } from './records.ts';
import { retryWaitMs } from './run-attempt.ts';
import type { RunEnds } from './run-end.ts';
import { unstarted } from './run-outcome.ts';
import type { RunQueue } from './run-queue.ts';

/** More were never in the store at a time. */
const UNFINISHED_MAX = 100_000;

export interface RecoveryDeps {
  readonly runs: RunStore;
  readonly records: Pick<AgentRecords, 'flow'>;
  readonly events: EventSink;
  readonly clock: Clock;
  /** Ends what an earlier life of the agent left running of a run; how many processes it found. */
  readonly endOrphans: (run: {
    runId: string;
    process: RunRecord['process'];
  }) => Promise<{ ended: number; left: number } | void>;
  readonly salvage: (runId: string, attempt: number) => Promise<{ stdout: Uint8Array; stderr: Uint8Array }>;
}

/** What an earlier life left running is ended and reported `lost`, never done again by itself. The ids. */
export async function endLost(deps: RecoveryDeps, ends: RunEnds): Promise<string[]> {
  const lost: string[] = [];
  for (const run of deps.runs.list({ states: ['running'], limit: UNFINISHED_MAX })) {
    const found = await deps.endOrphans({ runId: run.run_id, process: run.process });
    if (found !== undefined && found.ended + found.left > 0) deps.events.emit(orphansEvent(run, found));
    const output = await deps.salvage(run.run_id, Math.max(1, run.attempt));
    const reason = 'the agent ended while the run was under way; whether it finished its work is not known';
    ends.finish(run.run_id, { ...unstarted(reason, deps.clock.now()), ...output, status: 'lost' });
    lost.push(run.run_id);
  }
  return lost;
}

/** Queues what an earlier life had queued, in the same order; `retryIn` is told of what waits for another attempt. */
export function takeUpQueued(
  deps: RecoveryDeps,
  queue: RunQueue,
  retryIn: (runId: string, waitMs: number) => void,
): void {
  const locks = new Map<string, string | null>();
  const lockOf = (run: RunRecord): string | null => {
    if (run.spec !== null) return run.spec.lock;
    const known = locks.get(run.flow);
    if (known !== undefined) return known;
    const lock = deps.records.flow(run.flow)?.active?.spec.lock ?? null;
    locks.set(run.flow, lock);
    return lock;
  };
  const queued = deps.runs.list({ states: ['queued'], limit: UNFINISHED_MAX });
  for (const run of queued.toReversed()) {
    const entry = { runId: run.run_id, flow: run.flow, lock: lockOf(run) };
    const waitMs = retryWaitMs(run.next_attempt_at, deps.clock.now());
    if (waitMs > 0 && queue.standing(run.flow) === null) {
      queue.addParked(entry);
      retryIn(run.run_id, waitMs);
    } else {
      queue.add(entry);
    }
  }
}

function orphansEvent(run: RunRecord, found: { ended: number; left: number }): EventDraft {
  const rest = found.left > 0 ? `; ${found.left} could not be ended` : '';
  return {
    severity: 'warning',
    reason: 'OrphansEnded',
    message: `run ${run.run_id} of flow ${run.flow}: ${found.ended} processes of an earlier life of the agent are ended${rest}`,
    because: 'the agent had ended while the run was under way',
    flow: run.flow,
    run_id: run.run_id,
  };
}
