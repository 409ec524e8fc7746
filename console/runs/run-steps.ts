import type { RunStep } from '../../schemas/console/run.ts';
import type { CommandRow } from '../store/ports/commands.ts';
import type { ReportFacts, RunEvent } from '../store/ports/run-facts.ts';
import type { IndexedRun } from '../store/ports/run-index.ts';
import type { RunProgress } from '../store/ports/run-progress.ts';

export interface RunWitnesses {
  readonly run: IndexedRun;
  /** The command that asks for it. */
  readonly command: CommandRow | null;
  /** Those that ask for its end, oldest first. */
  readonly cancels: readonly CommandRow[];
  /** By attempt. */
  readonly progress: readonly RunProgress[];
  readonly report: ReportFacts | null;
  readonly events: readonly RunEvent[];
}

const ENDED = ['succeeded', 'failed', 'timed_out', 'cancelled', 'lost'];
/**
 * The way from what asked for a run to its result, of what the console and the agent have written down. In the order in which
 * such things follow: the two clocks may differ, and a run has not ended before it began.
 */
export function runSteps(of: RunWitnesses): RunStep[] {
  return [...asking(of), ...attempts(of), ...cancelling(of), ...ending(of)];
}

function step(kind: RunStep['kind'], at: string, more: Partial<RunStep> = {}): RunStep {
  return { kind, at, by: null, attempt: null, message: null, ...more };
}

function asking({ command, events }: RunWitnesses): RunStep[] {
  if (command === null) {
    const queued = events.find(({ reason }) => reason === 'RunQueued');
    return queued === undefined ? [] : [step('asked', queued.time, { message: queued.because })];
  }
  const { state, created_at, sent_at, settled_at, asked_by, why, code, message } = command;
  const steps = [step('asked', created_at, { by: asked_by, message: why })];
  if (sent_at !== null) steps.push(step('sent', sent_at));
  if (settled_at !== null && (state === 'acknowledged' || state === 'refused' || state === 'expired')) {
    const said = code === null ? message : `${code}: ${message}`;
    steps.push(step(state, settled_at, { message: said }));
  }
  return steps;
}

function cancelling({ cancels }: RunWitnesses): RunStep[] {
  return cancels.map(({ created_at, asked_by, why }) =>
    step('cancel_asked', created_at, { by: asked_by, message: why }),
  );
}

/** Through the tunnel each attempt tells of itself; without one, the agent's events do, which do not say which it was. */
function attempts({ run, progress, events }: RunWitnesses): RunStep[] {
  const retries = events.filter(({ reason }) => reason === 'RunRetrying').map(({ message }) => message);
  const told = progress.flatMap(({ attempt, started_at }) =>
    started_at === null || attempt === 0 ? [] : [{ attempt, at: started_at }],
  );
  const heard = events
    .filter(({ reason }) => reason === 'RunStarted')
    .map(({ time }, index) => ({ attempt: index + 1, at: time }));
  const starts = told.length >= heard.length ? told : heard;
  if (starts.length === 0 && run.started_at !== null) starts.push({ attempt: 1, at: run.started_at });
  return starts.map(({ attempt, at }) =>
    attempt <= 1
      ? step('started', at, { attempt })
      : step('retried', at, { attempt, message: retries[attempt - 2] ?? null }),
  );
}

function ending({ run, report }: RunWitnesses): RunStep[] {
  const { state, finished_at, attempt, reason, exit_code } = run;
  const steps: RunStep[] = [];
  if (finished_at !== null && ENDED.includes(state)) {
    const said = reason ?? (exit_code === null ? null : `exit ${exit_code}`);
    steps.push(step('ended', finished_at, { attempt, message: said === null ? state : `${state}: ${said}` }));
  }
  if (report !== null) steps.push(step('reported', report.received_at, { attempt: report.attempt }));
  return steps;
}
