import type { RunRecord } from '../reconciler/ports.ts';
import type { RunSummary } from '../schemas/run.ts';

/** A run as `edge-agent runs` and the status show it. */
export function toSummary(run: RunRecord): RunSummary {
  const {
    run_id,
    flow,
    version,
    state,
    trigger,
    attempt,
    queued_at,
    started_at,
    finished_at,
    exit_code,
    reason,
  } = run;
  return {
    run_id,
    flow,
    version,
    state,
    trigger,
    attempt,
    queued_at,
    started_at,
    finished_at,
    exit_code,
    reason,
  };
}
