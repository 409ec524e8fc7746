import type { RunReport, RunStatus } from '../schemas/run.ts';
import type { EventSink, ReportSink, RunListener, RunRecord, RunResult, RunStore } from './ports.ts';
import type { AgentRecords } from './records.ts';
import { createRememberedReports } from './remembered-reports.ts';
import { ENDED, type RunEventReason, reportOf, runEvent, unstarted } from './run-outcome.ts';
import type { RunStreaks } from './run-streak.ts';

export type RunEndResult = Omit<RunResult, 'status'> & { readonly status: RunStatus };

export interface RunEndParts {
  readonly runs: RunStore;
  readonly records: Pick<AgentRecords, 'transaction' | 'afterCommit'>;
  readonly reports: Pick<ReportSink, 'run'>;
  readonly events: EventSink;
  readonly listener?: RunListener;
  /** Output that an attempt left on disk. */
  readonly salvage: (runId: string, attempt: number) => Promise<{ stdout: Uint8Array; stderr: Uint8Array }>;
  readonly streaks: RunStreaks;
  /** The active version of a flow has turned bad by how its runs ended, or well again. */
  readonly onTurn: (flow: string, turn: 'bad' | 'well') => void;
}

/**
 * The end of a run, in one place: exactly one transaction with its report, and once that is on disk, with all it is part of,
 * one event and an answer to whoever waits.
 */
export interface RunEnds {
  /** Ends a run that is in the store, once. Throws when the store cannot be written; nothing has happened then. */
  finish(runId: string, result: RunEndResult, event?: RunEventReason): void;
  /** Puts a run in the store that has ended before it was queued. Throws likewise. */
  record(run: RunRecord, result: RunEndResult, event?: RunEventReason): void;
  /** The report of a run as soon as there is one; of one that ended long ago what is still on disk. Rejects when there is no such run. */
  wait(runId: string): Promise<RunReport>;
  /** Its end cannot be written: whoever waits is told so. */
  give(runId: string, error: unknown): void;
}

export function createRunEnds(parts: RunEndParts): RunEnds {
  const { runs } = parts;
  const waiting = new Map<string, PromiseWithResolvers<RunReport>[]>();
  const remembered = createRememberedReports();

  const takeWaiters = (runId: string) => {
    const waiters = waiting.get(runId) ?? [];
    waiting.delete(runId);
    return waiters;
  };

  /** `write` puts the ended run into the store, in the transaction that holds its report. */
  function end(run: RunRecord, result: RunEndResult, event: RunEventReason, write: () => void): void {
    const report = reportOf(run, result);
    const what = result.reason ?? `exit code ${result.exitCode}`;
    parts.records.transaction(() => {
      write();
      parts.reports.run(report);
      const turn = parts.streaks.note(run, result.status, what);
      parts.records.afterCommit(() => {
        parts.events.emit(runEvent(event, run, what));
        tell(report);
        if (turn !== null) parts.onTurn(run.flow, turn);
      });
    });
  }

  function tell(report: RunReport): void {
    parts.listener?.completed(report);
    remembered.add(report);
    for (const waiter of takeWaiters(report.run_id)) waiter.resolve(report);
  }

  async function recall(run: RunRecord, finishedAt: string): Promise<RunReport> {
    const known = remembered.get(run.run_id);
    const output = await parts.salvage(run.run_id, Math.max(1, run.attempt));
    const { state, exit_code: exitCode, reason } = run;
    const status = state === 'queued' || state === 'running' ? 'lost' : state;
    const result = { ...unstarted('', new Date(finishedAt)), ...output, status, exitCode, reason };
    const read = reportOf(run, result);
    return known === null ? read : { ...known.report, stdout: read.stdout, stderr: read.stderr };
  }

  return {
    finish(runId, result, event = ENDED[result.status]) {
      const run = runs.get(runId) as RunRecord;
      if (run.finished_at !== null) return;
      end(run, result, event, () => runs.update(runId, endOf(result)));
    },
    record(run, result, event = ENDED[result.status]) {
      end(run, result, event, () => runs.insert({ ...run, ...endOf(result) }));
    },
    wait(runId) {
      const known = remembered.get(runId);
      if (known?.text === true) return Promise.resolve(known.report);
      const run = runs.get(runId);
      if (run === null) return Promise.reject(new Error(`expected the id of a run, found "${runId}"`));
      if (run.finished_at !== null) return recall(run, run.finished_at);
      const waiter = Promise.withResolvers<RunReport>();
      waiting.set(runId, [...(waiting.get(runId) ?? []), waiter]);
      return waiter.promise;
    },
    give(runId, error) {
      for (const waiter of takeWaiters(runId)) waiter.reject(error);
    },
  };
}

function endOf(result: RunEndResult) {
  return {
    state: result.status,
    exit_code: result.exitCode,
    reason: result.reason,
    finished_at: result.finishedAt.toISOString(),
    process: null,
    next_attempt_at: null,
  } as const;
}
