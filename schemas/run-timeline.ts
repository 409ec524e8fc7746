import { z } from 'zod';
import { Event } from './event.ts';
import { Sha256, Timestamp } from './names.ts';
import { RunSummary } from './run.ts';
import { CommitInfo } from './status.ts';

/** `edge-agent runs <run_id>`: from what asked for a run to the commit it came from. */
export const RunTimeline = RunSummary.extend({
  /** What asked for it: `command 0199…`, `schedule "0 6 * * *" of 2026-11-20T05:00:00.000Z`. */
  because: z.string().nullable(),
  /** While it waits for another attempt. */
  next_attempt_at: Timestamp.nullable(),
  sha256: Sha256.nullable(),
  revision: z.string().nullable(),
  commit: CommitInfo.nullable(),
  /** When that version became active, as far as the event log goes back. */
  activated: Event.nullable(),
  /** Everything that happened to the run, oldest first. */
  events: z.array(Event),
});
export type RunTimeline = z.infer<typeof RunTimeline>;
