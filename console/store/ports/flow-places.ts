import type { BuilderFlow } from '../../../schemas/console/action.ts';
import type { AgentState } from '../../../schemas/console/agent.ts';
import type { FlowHealth } from '../../../schemas/status.ts';
import type { TenantScope } from './tenant-scope.ts';

/** How one flow stands on one agent, by the agent's newest status. */
export interface PlacedFlow {
  readonly agent_id: string;
  readonly active_version: string | null;
  readonly previous_version: string | null;
  /** Null where the agent does not list what lies on its disk. */
  readonly previous_sha256: string | null;
  /** What the manifest names. */
  readonly desired_version: string | null;
  /** The digest of that one, and why the agent does not go there again; both null while it is not in quarantine. */
  readonly quarantined_sha256: string | null;
  readonly quarantined: string | null;
}

/** An agent that has a version of the flow active. */
export interface FlowHost {
  readonly agent_id: string;
  readonly tenant: string;
  readonly active_version: string;
  readonly health: FlowHealth;
  readonly state: AgentState;
  /** Runs that go on or wait there, as far as the console knows. */
  readonly load: number;
}

/** Where flows are: what is asked before something is asked of them. */
export interface FlowPlaces {
  /** Of those of the agents that have said something of the flow. */
  of(agentIds: readonly string[], flow: string): Promise<ReadonlyMap<string, PlacedFlow>>;
  /**
   * Agents that are not revoked and have it active, at most `limit`, those with the least to do first; with `agentId` that one alone,
   * and with `version` those that have that version active, however many others there are.
   */
  hosts(
    scope: TenantScope,
    flow: string,
    now: Date,
    among: { readonly limit: number; readonly agentId?: string; readonly version?: string },
  ): Promise<FlowHost[]>;
  /** Every flow of these tenants with the version that most agents have active; `connected` of the agents that have it. At most `limit`. */
  list(scope: TenantScope, limit: number): Promise<BuilderFlow[]>;
}
