import type { RunReport } from '../../../schemas/run.ts';
import type { Status } from '../../../schemas/status.ts';
import type { SummaryChange } from './fleet.ts';
import type { TenantScope } from './tenant-scope.ts';

/** A run as the lists show it: all but its output. */
export interface RunRow {
  readonly id: number;
  readonly tenant: string;
  readonly agent_id: string;
  readonly run_id: string;
  readonly attempt: number;
  readonly flow: string;
  readonly version: string | null;
  readonly status: string;
  readonly exit_code: number | null;
  readonly started_at: string | null;
  readonly finished_at: string;
  readonly received_at: string;
}

export type RunOutcome = 'stored' | 'replayed' | 'conflict';

/** What an agent sent, as text, and the SHA-256 of that. */
export interface SentText {
  readonly text: string;
  readonly sha256: string;
}

/** The reports of runs and the newest status of every agent, as they were sent. */
export interface ReportRows {
  /**
   * Stored once a key, together with how the run went (`RunProgressStore`); the same again is `replayed`, another text under
   * the key a `conflict`.
   */
  addRun(agentId: string, key: string, report: RunReport, sent: SentText, at: Date): Promise<RunOutcome>;
  /** Newest first; `before` is an `id` of a row. */
  runs(filter: { agent?: string; tenants?: TenantScope; before?: number; limit: number }): Promise<RunRow[]>;
  /** The newest report of the run, and how many agents have reported the same id; null when nobody has. */
  newest(
    runId: string,
    of: { readonly agent?: string | undefined; readonly tenants?: TenantScope },
  ): Promise<{ readonly text: string; readonly agents: number } | null>;
  /** How the run ended: its newest report. */
  ending(
    agentId: string,
    runId: string,
  ): Promise<{ readonly attempt: number; readonly status: string } | null>;
  /** `status` is what was read of `text`. The fleet's summary of it is written with it. */
  setStatus(agentId: string, status: Status, text: string, at: Date): Promise<SummaryChange>;
  status(agentId: string): Promise<{ readonly received_at: string; readonly text: string } | null>;
  /** Drops the oldest runs of every agent beyond `keep` of them or `keepBytes` of their bodies; how many. */
  prune(keep: number, keepBytes: number, signal?: AbortSignal): Promise<number>;
}
