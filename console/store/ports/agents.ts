import type { PublicJwk } from '../../../schemas/jws.ts';
import type { AuditEntry } from './audit.ts';
import type { TenantScope } from './tenant-scope.ts';

export interface Agent {
  readonly agent_id: string;
  readonly tenant: string;
  readonly thumbprint: string;
  readonly device_jwk: PublicJwk;
  readonly hostname: string;
  readonly os: string;
  readonly arch: string;
  readonly agent_version: string;
  readonly enrolled_at: string;
  readonly last_seen_at: string | null;
  /** Since when its key is in force, when it was changed after the enrolment. */
  readonly key_since: string | null;
  /** Somebody asked it to change its key. */
  readonly rotation_asked_at: string | null;
  readonly revoked_at: string | null;
  /** `agent` when it unenrolled itself. */
  readonly revoked_by: string | null;
  readonly revoked_why: string | null;
}

/** What enrolment says of an agent. */
export type AgentDescription = Pick<
  Agent,
  | 'agent_id'
  | 'tenant'
  | 'thumbprint'
  | 'device_jwk'
  | 'hostname'
  | 'os'
  | 'arch'
  | 'agent_version'
  | 'enrolled_at'
>;

export interface Revocation {
  readonly by: string;
  readonly why: string | null;
}

export interface AgentStore {
  get(agentId: string): Promise<Agent | null>;
  byGitToken(token: string): Promise<Agent | null>;
  list(tenants?: TenantScope): Promise<Agent[]>;
  /** Inserts, or (the same device enrolled again) renews its description and git token. */
  save(agent: AgentDescription, gitToken: string): Promise<void>;
  seen(agentId: string, at: Date): Promise<void>;
  seenAll(agentIds: readonly string[], at: Date): Promise<void>;
  /**
   * From now on nothing the agent signs or holds is taken, and what waits for it is refused in its name. The first revocation
   * counts, and is told of in the same step: `told` gets the tenant and how many commands were dropped.
   */
  revoke(
    agentId: string,
    at: Date,
    revocation: Revocation,
    told: (facts: { readonly tenant: string; readonly dropped: number }) => AuditEntry,
  ): Promise<'revoked' | 'already' | 'unknown'>;
  /** False, and nothing is told, when there is no such agent or it was revoked. */
  askRotation(
    agentId: string,
    at: Date,
    told: (facts: { readonly tenant: string }) => AuditEntry,
  ): Promise<boolean>;
  revokedIds(): Promise<string[]>;
}
