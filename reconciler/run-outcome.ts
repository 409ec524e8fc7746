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

export function runEvent(
  reason: Extract<EventDraft['reason'], `Run${string}`>,
  run: Pick<RunRecord, 'run_id' | 'flow' | 'version' | 'revision' | 'trigger'>,
  what: string,
): EventDraft {
  const calm = reason === 'RunStarted' || reason === 'RunSucceeded' || reason === 'RunQueued';
  return {
    severity: calm ? 'info' : reason === 'RunCancelled' ? 'warning' : 'error',
    reason,
    message: `run ${run.run_id} of flow ${run.flow}: ${what}`,
    because: `triggered by ${run.trigger}`,
    flow: run.flow,
    run_id: run.run_id,
    ...(run.version === null ? {} : { version: run.version }),
    ...(run.revision === null ? {} : { revision: run.revision }),
  };
}
