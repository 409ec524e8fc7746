import type {
  AgentChange,
  AgentFilter,
  AgentRow,
  AgentSort,
  AgentState,
} from '../../../schemas/console/agent.ts';
import type { ChangeGroup } from '../../../schemas/console/overview.ts';
import type { FlowRow, FlowSort } from '../../../schemas/console/release.ts';
import type { TenantScope } from './tenant-scope.ts';

/** One agent as lists show it, with what they have always shown of it besides. The device key never. */
export interface ListedAgent extends Omit<AgentRow, 'tunnel'> {
  readonly tunnel: { readonly connected: boolean; readonly since: string | null };
  readonly thumbprint: string;
  readonly key_since: string | null;
  readonly rotation_asked_at: string | null;
  readonly revoked_at: string | null;
  readonly revoked_by: string | null;
  readonly revoked_why: string | null;
}

/** `tenant` of the filter narrows the scope; one outside of it shows nothing. */
export interface AgentSelection {
  readonly scope: TenantScope;
  readonly filter: AgentFilter;
  readonly now: Date;
}

export interface AgentPage {
  readonly sort: AgentSort;
  readonly order?: 'asc' | 'desc' | undefined;
  readonly limit: number;
  readonly offset: number;
}

/** Why agents in a state are in it: their own words, the most frequent first. */
export interface ReasonCount {
  readonly reason: string;
  readonly message: string;
  readonly count: number;
}

/** Agents that want or have a revision, by how they stand. */
export interface RevisionUse {
  readonly tenant: string;
  readonly desired: string | null;
  readonly applied: string | null;
  readonly state: AgentState;
  readonly agents: number;
  /** Of those: hold a flow back that somebody rolled back by hand. */
  readonly held: number;
}

/** Agents that are alike in all that is counted. */
export interface StandingGroup extends RevisionUse {
  readonly connected: number;
  /** Runs. */
  readonly running: number;
  readonly queued: number;
}

/** Reads of what the fleet says of itself. Nothing here parses a status document. */
export interface FleetStore {
  list(
    selection: AgentSelection,
    page: AgentPage,
  ): Promise<{ agents: ListedAgent[]; total: number; states: Partial<Record<AgentState, number>> }>;
  /** Ids of those that match, at most `limit`, in the order of their ids; for what is asked of a selection. */
  matching(selection: AgentSelection, limit: number): Promise<{ ids: string[]; total: number }>;
  agent(agentId: string, now: Date): Promise<ListedAgent | null>;
  /** All agents, counted in one pass; revoked ones too. */
  standings(scope: TenantScope, now: Date): Promise<StandingGroup[]>;
  /** Flows that agents hold back, those of the most agents first: the names of at most `limit`, and how many there are. */
  heldFlows(scope: TenantScope, limit: number): Promise<{ names: string[]; total: number }>;
  /** At most `limit` agents that are neither ready nor revoked, worst first, those longest so first. */
  worst(scope: TenantScope, now: Date, limit: number): Promise<ListedAgent[]>;
  reasons(
    scope: TenantScope,
    states: readonly AgentState[],
    now: Date,
    limit: number,
  ): Promise<ReasonCount[]>;
  /** Why the agents that want this revision and cannot have it are in trouble. */
  problemsOf(tenant: string, revision: string, now: Date, limit: number): Promise<ReasonCount[]>;
  flows(
    scope: TenantScope,
    query: {
      q?: string | undefined;
      sort: FlowSort;
      order?: 'asc' | 'desc' | undefined;
      limit: number;
      offset: number;
    },
    since: Date,
  ): Promise<{ flows: FlowRow[]; total: number }>;
  flow(tenant: string, flow: string, since: Date): Promise<FlowRow | null>;
  /** Reports that came in since then. */
  endedRuns(scope: TenantScope, since: Date): Promise<{ succeeded: number; failed: number }>;
}

/** What changed, one entry a change, bounded an agent. */
export interface ChangeStore {
  /** Newest first; `before` is the id of an entry. */
  list(agentId: string, filter: { before?: number | undefined; limit: number }): Promise<AgentChange[]>;
  /** Like changes since then as one line each, the newest first. */
  groups(scope: TenantScope, since: Date, limit: number): Promise<ChangeGroup[]>;
  /** When each agent first had this revision applied, in order of time. */
  appliedAt(tenant: string, revision: string): Promise<string[]>;
  /** Forgets the oldest of every agent beyond `keep`; how many. */
  prune(keep: number, now: Date, signal?: AbortSignal): Promise<number>;
}

/** What a status has changed, for those who watch. */
export interface SummaryChange {
  readonly state: boolean;
  readonly flows: boolean;
  readonly revisions: boolean;
}

/** The writers' side. */
export interface FleetNotes {
  /** The agent's tunnel is open (`since`), or is not. */
  presence(agentId: string, since: Date | null): Promise<void>;
  /** Nobody is connected: said when a server starts. */
  nobodyConnected(): Promise<void>;
  /**
   * Writes down what has changed without a status: agents that have come, gone silent, been heard of again or been revoked. Which.
   * At most a thousand a call.
   */
  settle(now: Date): Promise<{ readonly tenant: string; readonly agent_id: string }[]>;
}
