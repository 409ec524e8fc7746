import type { FlowState } from '../schemas/agent-state.ts';
import type { Clock, EventSink, ReportSink } from './ports.ts';
import type { AgentRecords } from './records.ts';
import { type RollBackDeps, rollBack } from './roll-back.ts';
import type { RunStreaks } from './run-streak.ts';

/** What `runs.rollback_on: runs` needs of the agent. */
export interface RunRollBack {
  /** Asked when a version has failed too often. */
  readonly isOn: () => boolean;
  readonly store: RollBackDeps['store'];
  /** Never beside a reconcile. */
  readonly exclusive: <T>(work: () => Promise<T>) => Promise<T>;
  /** A version was rolled back: the next reconcile says what follows. */
  readonly onDone: () => void;
}

interface RunRollBackDeps {
  readonly rollBack?: RunRollBack;
  readonly records: AgentRecords;
  readonly events: EventSink;
  readonly reports: ReportSink;
  readonly clock: Clock;
  readonly onFault: (error: unknown) => void;
}

/** Puts the version before a fresh one back whose runs failed in a row. Without one before it, it stays and is said to be unhealthy. */
export function createRunRollBacks(deps: RunRollBackDeps, streaks: RunStreaks) {
  const { rollBack: how, records, events, reports, clock } = deps;
  const working = new Set<Promise<void>>();

  async function goBack(how: RunRollBack, flow: string): Promise<void> {
    const bad = streaks.bad(flow);
    if (bad === null || !how.isOn()) return;
    const options = { now: clock.now(), seq: how.store.current().seq, withoutPrevious: 'keep' } as const;
    const result = await rollBack({ store: how.store, records, events, reports }, bad, options);
    if (result.kind === 'kept') unhealthy(flow, bad, `${result.message}: ${bad.why}`);
    how.onDone();
  }

  function unhealthy(flow: string, about: { version: string; revision: string }, message: string): void {
    const state = records.flow(flow);
    if (state === null || state.health === 'unhealthy') return;
    saveHealth(flow, state, 'unhealthy');
    const { version, revision } = about;
    events.emit({ severity: 'error', reason: 'HealthFailed', message, flow, version, revision });
  }

  function saveHealth(flow: string, state: FlowState, health: FlowState['health']): void {
    records.transaction(() => {
      records.saveFlow(flow, { ...state, health });
      reports.statusChanged();
    });
  }

  return {
    /** What was said to be unhealthy because its runs failed is healthy once one succeeds. */
    turnedWell(flow: string): void {
      const state = records.flow(flow);
      if (how === undefined || state?.health !== 'unhealthy') return;
      saveHealth(flow, state, 'healthy');
      how.onDone();
    },
    /** Looks at a flow whose runs fail, as soon as no reconcile is under way. Does not wait. */
    consider(flow: string): void {
      if (how?.isOn() !== true || streaks.bad(flow) === null) return;
      const work = how
        .exclusive(() => goBack(how, flow))
        .catch(deps.onFault)
        .finally(() => working.delete(work));
      working.add(work);
    },
    async idle(): Promise<void> {
      while (working.size > 0) await Promise.allSettled(working);
    },
  };
}
