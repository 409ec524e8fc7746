import type { ConsoleRunState, RunRow } from '../../../schemas/console/run.ts';
import type { TriggerKind } from '../../../schemas/run.ts';
import type { TenantScope } from './tenant-scope.ts';

/** A row of the list, with what only the page of the run shows. */
export interface IndexedRun extends RunRow {
  readonly sha256: string | null;
  readonly revision: string | null;
}

export interface RunFilter {
  readonly tenants: TenantScope;
  readonly agent?: string | undefined;
  readonly flow?: string | undefined;
  readonly version?: string | undefined;
  readonly states?: readonly ConsoleRunState[] | undefined;
  readonly trigger?: TriggerKind | undefined;
  /** Words that all have to occur in run, flow, version, reason, agent or host name, whatever their case. */
  readonly q?: string | undefined;
  /** Of `received_at`; `until` is not in it. */
  readonly since?: string | undefined;
  readonly until?: string | undefined;
  /** An `id` of a row. */
  readonly before?: number | undefined;
  readonly limit: number;
}

export interface RunPage {
  readonly runs: IndexedRun[];
  /** Null: there are no more. With fewer rows than asked for, so far was looked: there may be more before it. */
  readonly next_before: number | null;
}

/**
 * One list of all runs: asked for, queued, going on, ended. It is kept by those who write what it tells of, in the same step:
 * a command handed in or answered, what the tunnel says of a run, a report.
 */
export interface RunIndex {
  /** Newest first, by when the console first heard of them. */
  list(filter: RunFilter): Promise<RunPage>;
  get(agentId: string, runId: string): Promise<IndexedRun | null>;
  /** Those of this id in these tenants, at most `limit`, newest first: several agents may use the same one. */
  named(runId: string, tenants: TenantScope, limit: number): Promise<IndexedRun[]>;
  /** How many are asked for, queued or going on, of each of these agents that has any. */
  load(agentIds: readonly string[]): Promise<ReadonlyMap<string, number>>;
  /**
   * Forgets the oldest that have ended of every agent beyond `keep`, and the oldest of more than `keep` that have not: an agent may
   * tell of beginnings for ever; and with a run the settled commands that asked for it. How many.
   */
  prune(keep: number, signal?: AbortSignal): Promise<number>;
}
