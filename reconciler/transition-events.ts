import type { EventDraft } from '../schemas/event.ts';
import type { EventSink } from './ports.ts';
import type { AgentRecords } from './records.ts';

/** Events that say what is in the way: they are sent when it begins, not at every attempt that meets it again. */
const STATES: ReadonlySet<EventDraft['reason']> = new Set([
  'SourceFailed',
  'BranchMissing',
  'ReleaseRefused',
  'ReleaseExpiring',
  'PolicyIgnored',
  'ManifestInvalid',
  'PolicyInvalid',
  'AgentTooOld',
  'FlowStalled',
  'BundleFetchFailed',
  'UrlNotAllowed',
  'ArchiveRefused',
  'PrepareFailed',
  'ActivationDeferred',
  'ReconcileRetrying',
  'ReconcileStalled',
]);

export interface TransitionEvents extends EventSink {
  /** Keeps what still stands for the next reconcile; `waiting` are the flows whose next attempt is not due yet. */
  settle(waiting: ReadonlySet<string>): void;
}

/** The event sink of one reconcile: events are sent on transitions (design.md). */
export function createTransitionEvents(events: EventSink, records: AgentRecords): TransitionEvents {
  const before = records.standing();
  const now = new Map<string, string | null>();
  return {
    emit(draft) {
      if (!STATES.has(draft.reason)) return events.emit(draft);
      const key = JSON.stringify([draft.reason, draft.message, draft.flow ?? null, draft.revision ?? null]);
      const known = before.has(key) || now.has(key);
      now.set(key, draft.flow ?? null);
      if (!known) events.emit(draft);
    },
    settle(waiting) {
      for (const [key, flow] of before) if (flow !== null && waiting.has(flow)) now.set(key, flow);
      const same = now.size === before.size && [...now.keys()].every((key) => before.has(key));
      if (!same) records.saveStanding(now);
    },
  };
}
