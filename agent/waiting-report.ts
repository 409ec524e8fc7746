import type { QueuedReport } from '../reconciler/ports.ts';

/** One line of `edge-agent retry --list`. */
export interface WaitingReport {
  readonly kind: string;
  /** `<run_id>.<attempt>` of a run's report, `file/<upload_id>` of a file. */
  readonly key: string;
  readonly run_id: string | null;
  readonly state: 'waiting' | 'parked';
  readonly since: string;
  readonly attempts: number;
  /** Null for what is parked: it waits for a person. */
  readonly next_attempt_at: string | null;
  /** Why it was parked, or why the last attempt failed. */
  readonly message: string | null;
}

export function toWaitingReport(report: Omit<QueuedReport, 'body'>): WaitingReport {
  const { kind, key, parked } = report;
  const run = kind === 'notify' || key.startsWith('request/');
  return {
    kind,
    key,
    run_id: run ? key.replace(/^request\//, '').replace(/\.\d+$/, '') : null,
    state: parked === null ? 'waiting' : 'parked',
    since: report.created_at,
    attempts: report.attempts,
    next_attempt_at: parked === null ? report.next_attempt_at : null,
    message: parked ?? report.last_error ?? null,
  };
}
