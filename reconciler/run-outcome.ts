import type { EventDraft } from '../schemas/event.ts';
import type { RunReport, RunStatus } from '../schemas/run.ts';
import type { RunRecord, RunResult } from './ports.ts';

/** The body of `/edge/notify` (contract, section 7). Output is bytes: shown as UTF-8 with replacement. */
export function reportOf(
  run: RunRecord,
  result: Omit<RunResult, 'status'> & { status: RunStatus },
): RunReport {
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return {
    run_id: run.run_id,
    stdout: text(result.stdout),
    stderr: text(result.stderr),
    status: result.status,
    attempt: run.attempt,
    flow: run.flow,
    version: run.version,
    sha256: run.sha256,
    revision: run.revision,
    trigger: run.trigger,
    exit_code: result.exitCode,
    reason: result.reason,
    started_at: run.started_at,
    finished_at: result.finishedAt.toISOString(),
    truncated: { ...result.truncated },
    outputs: [...result.outputs],
  };
}

export type RunEventReason = Extract<EventDraft['reason'], `Run${string}`>;

/** The event that says how a run ended. */
export const ENDED = {
  succeeded: 'RunSucceeded',
  failed: 'RunFailed',
  timed_out: 'RunTimedOut',
  cancelled: 'RunCancelled',
  lost: 'RunLost',
} as const satisfies Record<RunStatus, RunEventReason>;

const CALM: ReadonlySet<RunEventReason> = new Set(['RunStarted', 'RunSucceeded', 'RunQueued']);
const UNEASY: ReadonlySet<RunEventReason> = new Set(['RunCancelled', 'RunRetrying', 'RunSkipped']);

/** One state of a run, for the history: every one names the run, what it runs and what asked for it. */
export function runEvent(
  reason: RunEventReason,
  run: Pick<RunRecord, 'run_id' | 'flow' | 'version' | 'revision' | 'trigger' | 'because'>,
  what: string,
): EventDraft {
  return {
    severity: CALM.has(reason) ? 'info' : UNEASY.has(reason) ? 'warning' : 'error',
    reason,
    message: `run ${run.run_id} of flow ${run.flow}: ${what}`,
    because: run.because ?? `triggered by ${run.trigger}`,
    flow: run.flow,
    run_id: run.run_id,
    ...(run.version === null ? {} : { version: run.version }),
    ...(run.revision === null ? {} : { revision: run.revision }),
  };
}

/** The end of a run, or of an attempt, that came before a process of it had begun. */
export function unstarted(reason: string, at: Date, status: RunResult['status'] = 'failed'): RunResult {
  const none = new Uint8Array();
  return {
    status,
    exitCode: null,
    reason,
    stdout: none,
    stderr: none,
    truncated: { stdout: 0, stderr: 0 },
    outputs: [],
    startedAt: at,
    finishedAt: at,
  };
}
