import type { RunRecord } from '../reconciler/ports.ts';
import type { Event } from '../schemas/event.ts';
import type { RunTimeline } from '../schemas/run-timeline.ts';
import { toSummary } from './run-summary.ts';

/** One run from its trigger to its commit, out of its record and the events of the log, oldest first. */
export function runTimeline(run: RunRecord, log: Iterable<Event>): RunTimeline {
  const events: Event[] = [];
  let activated: Event | null = null;
  for (const event of log) {
    if (event.run_id === run.run_id) events.push(event);
    if (run.started_at !== null && event.time <= run.started_at && activates(event, run)) activated = event;
  }
  const { because = null, next_attempt_at = null, sha256, revision, commit = null } = run;
  return { ...toSummary(run), because, next_attempt_at, sha256, revision, commit, activated, events };
}

function activates(event: Event, run: RunRecord): boolean {
  if (event.flow !== run.flow || event.version !== run.version) return false;
  return event.reason === 'VersionActivated' && event.revision === run.revision;
}
