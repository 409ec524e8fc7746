import type { RunOutput } from '../../../schemas/run.ts';
import type { CommitInfo } from '../../../schemas/status.ts';

/** What a report says beside what the list of runs has. */
export interface ReportFacts {
  readonly received_at: string;
  readonly attempt: number;
  readonly truncated: { readonly stdout: number; readonly stderr: number };
  readonly outputs: readonly RunOutput[];
}

/** An event of the agent that names the run. */
export interface RunEvent {
  readonly time: string;
  readonly reason: string;
  readonly message: string;
  readonly because: string | null;
}

/** What is kept of one run beside the list: its newest report, and what the agent's own history says. */
export interface RunFacts {
  /** Null while there is none, or no longer. `outputs` are at most `limit`. */
  report(agentId: string, runId: string, limit: number): Promise<ReportFacts | null>;
  /** The last characters of what it printed, as the report has them. */
  tail(
    agentId: string,
    runId: string,
    characters: number,
  ): Promise<{ readonly stdout: string; readonly stderr: string } | null>;
  /** What the commit of a revision says, where the console has been told. */
  commit(tenant: string, revision: string): Promise<CommitInfo | null>;
  /** Oldest first. */
  events(agentId: string, runId: string, limit: number): Promise<RunEvent[]>;
}
