import type { ConsoleRunState } from '../../../schemas/console/run.ts';
import type { AuditEntry } from './audit.ts';

/** `sent`: through the tunnel at least once, and not yet answered. The last three are final. */
export type CommandState = 'queued' | 'sent' | 'acknowledged' | 'refused' | 'expired';

export interface CommandRow {
  readonly id: number;
  readonly agent_id: string;
  readonly command_id: string;
  readonly action: string;
  readonly run_id: string | null;
  readonly state: CommandState;
  /** Why the agent refused it: its code (schemas/reasons.ts) and sentence. */
  readonly code: string | null;
  readonly message: string | null;
  readonly created_at: string;
  readonly expires_at: string;
  readonly sent_at: string | null;
  readonly settled_at: string | null;
  /** Who handed it in, or had the console sign it, and why; null where nobody was asked. */
  readonly asked_by: string | null;
  readonly why: string | null;
  /** What it is about: the flow it names, the version it asks for, or the one that the agent says is active since. */
  readonly flow: string | null;
  readonly version: string | null;
  /** What the agent's events say came of it; null while they say nothing. */
  readonly outcome: 'done' | 'failed' | null;
  readonly outcome_at: string | null;
  readonly outcome_message: string | null;
}

/** With how the run stands that it is about. */
export interface ListedCommand extends CommandRow {
  readonly run_state: ConsoleRunState | null;
}

/** Who wants a command done; what `told` says of it is written in the same step. */
export interface CommandOrigin {
  readonly by: string;
  readonly why: string | null;
  readonly told: (row: CommandRow) => AuditEntry;
}

export interface WaitingCommand {
  readonly id: number;
  readonly command_id: string;
  readonly jws: string;
}

/** What an agent says of the command `id`. */
export type CommandAnswer =
  | { readonly id: string; readonly state: 'acknowledged' }
  | { readonly id: string; readonly state: 'refused'; readonly code: string; readonly message: string };

/** A command as it was handed in, and what it says of itself. */
export interface CommandDraft {
  readonly agent_id: string;
  readonly command_id: string;
  readonly action: string;
  readonly jws: string;
  readonly expires_at: string;
  /** Of the run it asks for, or asks the end of. */
  readonly run_id: string | null;
  /** The flow it names, and the version it asks for. Of a `run`, the list of runs hears of that. */
  readonly flow: string | null;
  readonly version: string | null;
}

export type CommandAdded =
  | { readonly kind: 'added'; readonly row: CommandRow }
  /** One of this id is there already; `jws` is what that one is. */
  | { readonly kind: 'there'; readonly row: CommandRow; readonly jws: string }
  | { readonly kind: 'revoked'; readonly revoked_at: string }
  /** As many wait as may. */
  | { readonly kind: 'full'; readonly waiting: number };

/** Signed commands on their way to agents, as they were last written; the time says which of them are over. */
export interface CommandRows {
  add(
    draft: CommandDraft,
    at: Date,
    maxWaiting: number,
    origin: CommandOrigin | undefined,
  ): Promise<CommandAdded>;
  /** Not settled and not expired, in order of arrival, with `id` greater than `after`. */
  waiting(agentId: string, after: number, limit: number, now: Date): Promise<WaitingCommand[]>;
  sent(ids: readonly number[], at: Date): Promise<void>;
  /** The agent's answers, all in one step. Those that settled something: not of unknown commands, nor of settled ones. */
  settle(agentId: string, answers: readonly CommandAnswer[], at: Date): Promise<CommandRow[]>;
  /** Those whose time is over, now `expired`. */
  expire(now: Date): Promise<CommandRow[]>;
  /** Newest first; `before` is an `id` of a row. */
  list(agentId: string, page: { before?: number | undefined; limit: number }): Promise<ListedCommand[]>;
  /** The newest command of this id, of whichever agent. */
  get(commandId: string): Promise<CommandRow | null>;
  /** The newest command that asks for this run. */
  forRun(agentId: string, runId: string): Promise<CommandRow | null>;
  /** The command itself that the run began with: of several that ask for it, the first that was not turned away. */
  asked(agentId: string, runId: string): Promise<string | null>;
  /** The commands that ask for the end of this run, oldest first, at most 20. */
  cancelsOf(agentId: string, runId: string): Promise<CommandRow[]>;
  /** Agents for which something waits. */
  agentsWaiting(): Promise<string[]>;
  /** Forgets the oldest settled ones of every agent beyond `keep`; how many. */
  prune(keep: number, signal?: AbortSignal): Promise<number>;
}
