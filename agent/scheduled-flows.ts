import type { VersionStore } from '../reconciler/ports.ts';
import type { AgentRecords } from '../reconciler/records.ts';
import type { ScheduledFlow } from '../sources/schedule.ts';

/** The active flows that have a schedule, with the settings of the version that is active. */
export function scheduledFlows(
  records: Pick<AgentRecords, 'flows'>,
  store: Pick<VersionStore, 'current'>,
): ScheduledFlow[] {
  const { flows } = store.current();
  return [...records.flows()].flatMap(([flow, { active, since }]) => {
    const at = flows[flow]?.activated_at;
    if (at === undefined || active === null || active.spec.runtime === 'service') return [];
    const { schedule, missed } = active.spec;
    // a change of settings alone leaves the pointer as it was, and a change of phase is no change of the schedule
    return schedule === null ? [] : [{ flow, schedule, missed, since: since > at ? since : at }];
  });
}
