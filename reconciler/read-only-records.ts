import type { AgentRecords } from './records.ts';

/** The same records with writes that change nothing: a dry run decides on the real state and leaves it alone. */
export function readOnlyRecords(records: AgentRecords): AgentRecords {
  const nothing = () => {};
  return {
    ...records,
    saveSource: (change) => ({ ...records.source(), ...change }),
    saveFlow: nothing,
    forgetFlow: nothing,
    saveQuarantine: nothing,
    clearQuarantine: nothing,
    setMismatches: nothing,
    fixName: nothing,
    saveIntent: nothing,
    saveSuspension: nothing,
    saveConditions: nothing,
    saveTrustSeen: nothing,
    savePolicy: nothing,
    saveStanding: nothing,
    saveRunStreak: nothing,
    setLastCleanUp: nothing,
  };
}
