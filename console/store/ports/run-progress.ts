import type { RunReport } from '../../../schemas/run.ts';
import type { RunStarted } from '../../../schemas/tunnel-frame.ts';

/** A run as agents tell of it while it goes on; the report with its output comes by `POST /edge/notify`. */
export interface RunProgress {
  readonly agent_id: string;
  readonly run_id: string;
  readonly attempt: number;
  readonly flow: string;
  readonly version: string | null;
  /** `running`, or how it ended. */
  readonly state: string;
  readonly exit_code: number | null;
  readonly started_at: string | null;
  readonly finished_at: string | null;
  readonly updated_at: string;
}

export type RunCompleted = Pick<
  RunReport,
  'run_id' | 'attempt' | 'flow' | 'version' | 'status' | 'exit_code' | 'started_at' | 'finished_at'
> &
  Partial<Pick<RunReport, 'trigger' | 'reason' | 'sha256' | 'revision'>>;

export interface RunProgressStore {
  /** Idempotent, and of no effect on a run that has ended. */
  started(agentId: string, run: RunStarted, at: Date): Promise<void>;
  completed(agentId: string, run: RunCompleted, at: Date): Promise<void>;
  /** Newest first. */
  list(agentId: string, filter: { running?: boolean; limit: number }): Promise<RunProgress[]>;
  get(agentId: string, runId: string): Promise<RunProgress[]>;
  prune(keep: number, signal?: AbortSignal): Promise<number>;
}
