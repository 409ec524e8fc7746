import type { FetchProgress, ProgressSink } from '../reconciler/ports.ts';
import type { FlowPhase } from '../schemas/status.ts';

export interface LiveStatus extends ProgressSink {
  /** The phase a flow is in right now and since when; null when nothing is under way. */
  phaseOf(flow: string): { phase: FlowPhase; since: Date } | null;
  /** Called when a reconcile is over: what is then true stands in the records. */
  clear(): void;
}

/** What is happening at this moment, for the status document and for a person watching. */
export function createLiveStatus(now: () => Date, watch?: ProgressSink): LiveStatus {
  const phases = new Map<string, { phase: FlowPhase; since: Date }>();
  return {
    phase(flow, phase, message) {
      if (phases.get(flow)?.phase !== phase) phases.set(flow, { phase: phase as FlowPhase, since: now() });
      watch?.phase(flow, phase, message);
    },
    fetching(progress: FetchProgress) {
      watch?.fetching(progress);
    },
    phaseOf: (flow) => phases.get(flow) ?? null,
    clear: () => phases.clear(),
  };
}
