import { ServiceProcesses } from '../schemas/service.ts';
import type { StateDocuments } from './ports.ts';

type Kept = ServiceProcesses['processes'][number];

/** Which processes of services exist, on disk before they are started (`service/<flow>` in agent.db). */
export interface ServiceRecords {
  /** Notes a process that is about to be started in a slot that none uses, and gives the slot. */
  begin(flow: string, process: Omit<Kept, 'slot' | 'process'>): number;
  started(flow: string, runId: string, process: Kept['process']): void;
  /** It has ended, with everything it started. */
  ended(flow: string, runId: string): void;
  all(): ServiceProcesses[];
  /** The slot begun last; null when there never was a process. */
  latest(flow: string): number | null;
}

const PREFIX = 'service/';
/** Folders of output a flow: that of a process that failed stays readable until so many were begun after it. */
const SLOTS = 5;

export function createServiceRecords(documents: StateDocuments): ServiceRecords {
  const read = (flow: string): ServiceProcesses => {
    const parsed = ServiceProcesses.safeParse(documents.read(PREFIX + flow));
    return parsed.success ? parsed.data : { flow, slot: 0, processes: [] };
  };
  const change = (flow: string, processes: (before: readonly Kept[]) => Kept[]) => {
    const before = read(flow);
    documents.write(PREFIX + flow, { ...before, processes: processes(before.processes) });
  };
  return {
    begin(flow, process) {
      const { slot: last, processes } = read(flow);
      const taken = new Set(processes.map((one) => one.slot));
      let slot = (last % SLOTS) + 1;
      // more processes than slots at once: folders beyond them
      for (let tries = 0; taken.has(slot); tries += 1) slot = tries < SLOTS ? (slot % SLOTS) + 1 : slot + 1;
      const begun = { ...process, slot, process: null };
      documents.write(PREFIX + flow, { flow, slot, processes: [...processes, begun] });
      return slot;
    },
    started: (flow, runId, process) =>
      change(flow, (before) => before.map((one) => (one.run_id === runId ? { ...one, process } : one))),
    ended: (flow, runId) => change(flow, (before) => before.filter((one) => one.run_id !== runId)),
    latest: (flow) => read(flow).slot || null,
    all: () =>
      documents.list(PREFIX).flatMap(({ value }) => {
        const parsed = ServiceProcesses.safeParse(value);
        return parsed.success ? [parsed.data] : [];
      }),
  };
}
