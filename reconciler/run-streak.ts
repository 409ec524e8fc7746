import type { RunStreak } from '../schemas/agent-state.ts';
import type { ActiveFlow } from '../schemas/current.ts';
import type { RunStatus } from '../schemas/run.ts';
import type { RunRecord, VersionStore } from './ports.ts';
import type { AgentRecords } from './records.ts';
import type { BadVersion } from './roll-back.ts';

/** So many failing runs in a row, and none that succeeded before them, make a fresh version a bad one. */
const FAILING_RUNS = 3;

/** `runs.rollback_on: runs`: how fresh versions fare. Kept on disk, so that it counts across restarts. */
export interface RunStreaks {
  /** Counts the end of a run, in the transaction of that end: its version has turned bad by it, or well again, or neither. */
  note(run: RunRecord, status: RunStatus, reason: string): 'bad' | 'well' | null;
  /** The active version of a flow when it is a bad one. */
  bad(flow: string): BadVersion | null;
}

export function createRunStreaks(
  records: Pick<AgentRecords, 'runStreak' | 'saveRunStreak'>,
  store: Pick<VersionStore, 'current'>,
): RunStreaks {
  /** Of the version that is active now; null when it has no history yet. */
  const streakOf = (flow: string, active: ActiveFlow): RunStreak | null => {
    const streak = records.runStreak(flow);
    return streak?.sha256 === active.sha256 && streak.activated_at === active.activated_at ? streak : null;
  };
  return {
    note(run, status, reason) {
      // what ended for reasons of the agent or of a person says nothing about the version
      if (status === 'lost' || status === 'cancelled' || run.attempt === 0) return null;
      const active = store.current().flows[run.flow];
      if (active === undefined || active.sha256 !== run.sha256) return null;
      if (run.started_at === null || run.started_at < active.activated_at) return null;
      const before = streakOf(run.flow, active);
      if (before?.succeeded === true) return null;
      const { sha256, activated_at } = active;
      const succeeded = status === 'succeeded';
      const failures = succeeded ? 0 : (before?.failures ?? 0) + 1;
      records.saveRunStreak(run.flow, { sha256, activated_at, succeeded, failures, why: reason });
      if (failures >= FAILING_RUNS) return 'bad';
      return succeeded && (before?.failures ?? 0) >= FAILING_RUNS ? 'well' : null;
    },
    bad(flow) {
      const active = store.current().flows[flow];
      const streak = active === undefined ? null : streakOf(flow, active);
      if (active === undefined || streak === null || streak.succeeded || streak.failures < FAILING_RUNS)
        return null;
      const { version, sha256, revision } = active;
      const why = `${streak.failures} runs in a row failed, the last: ${streak.why}`;
      return { flow, version, sha256, revision, did: 'failed again and again', why };
    },
  };
}
