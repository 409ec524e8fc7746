/** Who a call came from. `at`: when it was made, by the console's clock (the token's `iat`). */
export interface Sighting {
  readonly boot: string;
  readonly machine: string | null;
  readonly hostname: string | null;
  readonly os: string | null;
  readonly address: string;
  readonly at: Date;
}

export interface AgentProcess {
  readonly boot_id: string;
  readonly machine: string | null;
  readonly hostname: string | null;
  readonly os: string | null;
  readonly address: string;
  readonly first_at: string;
  readonly last_at: string;
}

/** Two that spoke in turn. `boots`: their ids, newest first. */
export interface IdentityConflictRow {
  readonly since: string;
  readonly last_at: string;
  readonly changes: number;
  readonly boots: readonly string[];
}

/** Which processes speak for an agent. */
export interface IdentityRows {
  /** Latest heard of first. */
  processes(agentId: string, limit: number): Promise<AgentProcess[]>;
  /** `forgotten`: a process that is no longer kept. */
  saw(agentId: string, sighting: Sighting, forgotten: string | null): Promise<void>;
  /** The same, and what became of the conflict, in one step. `follow` is synchronous and touches nothing. What was there before. */
  sawInTurn(
    agentId: string,
    sighting: Sighting,
    follow: (before: IdentityConflictRow | null) => IdentityConflictRow,
  ): Promise<IdentityConflictRow | null>;
  conflict(agentId: string): Promise<IdentityConflictRow | null>;
  /** Forgets processes not heard of since; how many. */
  prune(before: Date): Promise<number>;
}
