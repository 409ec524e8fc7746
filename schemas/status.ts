import { z } from 'zod';
import { Held } from './current.ts';
import { FlowId, Id, Sha256, Slug, Timestamp } from './names.ts';
import { RunSummary } from './run.ts';
import { ServiceStatus } from './service.ts';

export const ConditionType = z.enum(['Ready', 'Reconciling', 'Stalled']);
export const Condition = z.object({
  type: ConditionType,
  status: z.enum(['True', 'False', 'Unknown']),
  reason: z.string(),
  message: z.string(),
  observed_revision: z.string().nullable(),
  changed_at: Timestamp,
});
export type Condition = z.infer<typeof Condition>;

export const FlowHealth = z.enum(['healthy', 'unhealthy', 'unknown']);
export type FlowHealth = z.infer<typeof FlowHealth>;

/** Where a flow is on its way from the manifest to running. */
export const FlowPhase = z.enum([
  'pending',
  'fetching',
  'unpacking',
  'preparing',
  'activating',
  'checking',
  'active',
  'retrying',
  'stalled',
  'refused',
]);
export type FlowPhase = z.infer<typeof FlowPhase>;

export const Suspension = z.object({ by: z.string(), why: z.string(), until: Timestamp.nullable() });
export type Suspension = z.infer<typeof Suspension>;

export const TrustMode = z.enum(['required', 'optional', 'off', 'tuf']);
export type TrustMode = z.infer<typeof TrustMode>;

export const CommitInfo = z.object({ subject: z.string(), author: z.string(), time: Timestamp });
export type CommitInfo = z.infer<typeof CommitInfo>;

export const FlowStatus = z.object({
  id: FlowId,
  runtime: z.string().nullable(),
  desired_version: z.string().nullable(),
  active_version: z.string().nullable(),
  previous_version: z.string().nullable(),
  health: FlowHealth,
  phase: FlowPhase,
  since: Timestamp,
  held: Held.nullable(),
  quarantined: z.object({ sha256: Sha256, reason: z.string() }).nullable(),
  /** Of runtime `service` only. */
  service: ServiceStatus.nullable(),
});
export type FlowStatus = z.infer<typeof FlowStatus>;

/** What the console thinks of who this agent is. */
export const IdentityStatus = z.object({
  state: z.enum(['not_enrolled', 'enrolled', 'conflict', 'revoked', 'key_retired']),
  since: Timestamp.nullable(),
  message: z.string().nullable(),
});
export type IdentityStatus = z.infer<typeof IdentityStatus>;

export const DISK_VERSIONS_MAX = 200;

/** A version that lies on the agent's disk, whole. */
export const DiskVersion = z.object({
  flow: FlowId,
  /** Name of its folder. */
  version: z.string(),
  sha256: z.string(),
  /** As unpacked. */
  bytes: z.int().nullable(),
  use: z.enum(['active', 'previous', 'kept']),
});
export type DiskVersion = z.infer<typeof DiskVersion>;

/** The status document (contract, section 9). */
export const Status = z.object({
  agent_id: Id.nullable(),
  tenant: Slug,
  agent_version: z.string(),
  os: z.string(),
  arch: z.string(),
  labels: z.record(z.string(), z.string()),
  generated_at: Timestamp,
  trust: z.object({
    mode: TrustMode,
    root_version: z.int().nullable(),
    seq: z.int().nullable(),
    release_expires: Timestamp.nullable(),
  }),
  suspended: Suspension.nullable(),
  config: z.object({ digest: z.string(), error: z.string().nullable() }),
  source: z.object({
    kind: z.enum(['git', 'http']),
    desired_revision: z.string().nullable(),
    last_attempted_revision: z.string().nullable(),
    last_applied_revision: z.string().nullable(),
    last_sync_at: Timestamp.nullable(),
    next_attempt_at: Timestamp.nullable(),
    commit: CommitInfo.nullable(),
  }),
  tunnel: z.object({ state: z.string(), since: Timestamp.nullable() }),
  flows: z.array(FlowStatus),
  conditions: z.array(Condition),
  runs: z.object({ running: z.int(), queued: z.int(), last: RunSummary.nullable() }),
  outbox: z.object({ pending: z.int(), oldest_at: Timestamp.nullable(), parked: z.int() }),
  disk: z.object({ used: z.int(), free: z.int() }),
  clock_offset_ms: z.int().nullable(),
  isolation: z.string(),
  /** Not sent by agents before 0.1. */
  identity: IdentityStatus.optional(),
  /** Those in use first, then the newest. Not sent by agents before 0.1, nor where nobody has looked at the disk. */
  versions: z.array(DiskVersion).max(DISK_VERSIONS_MAX).optional(),
});
export type Status = z.infer<typeof Status>;

export const Action = z.object({
  step: z.string(),
  flow: FlowId.nullable(),
  version: z.string().nullable(),
  because: z.string(),
  outcome: z.string(),
});
export type Action = z.infer<typeof Action>;

/** What `reconcile --output json` prints: the status and what was done. */
export const ReconcileReport = Status.extend({ actions: z.array(Action) });
export type ReconcileReport = z.infer<typeof ReconcileReport>;
