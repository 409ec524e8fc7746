import { z } from 'zod';
import { FlowSpec } from './flow-spec.ts';
import { CommitInfo, Condition, FlowHealth, FlowPhase } from './status.ts';

/** The agent's own documents in agent.db, by key. Formats of ours: changed only with a migration. */

export const SetbackDocument = z.object({
  kind: z.enum(['retry', 'stalled', 'refused']),
  code: z.string(),
  message: z.string(),
});
export type SetbackDocument = z.infer<typeof SetbackDocument>;

/** `source` */
export const SourceState = z.object({
  desired_revision: z.string().nullable(),
  last_attempted_revision: z.string().nullable(),
  last_applied_revision: z.string().nullable(),
  last_sync_at: z.string().nullable(),
  next_attempt_at: z.string().nullable(),
  commit: CommitInfo.nullable(),
  /** Failures of the whole reconcile in a row, for the backoff. */
  failures: z.int().min(0),
  setback: SetbackDocument.nullable(),
});
export type SourceState = z.infer<typeof SourceState>;

export const EMPTY_SOURCE_STATE: SourceState = {
  desired_revision: null,
  last_attempted_revision: null,
  last_applied_revision: null,
  last_sync_at: null,
  next_attempt_at: null,
  commit: null,
  failures: 0,
  setback: null,
};

/** What a version runs with. */
export const VersionSettings = z.object({
  spec: FlowSpec,
  entrypoint: z.string(),
  /** The revision the version was activated for, and its commit where that is known. */
  revision: z.string(),
  commit: CommitInfo.nullish(),
});
export type VersionSettings = z.infer<typeof VersionSettings>;

/** `flow/<id>` */
export const FlowState = z.object({
  /** Of the active version; null while nothing is active. */
  active: VersionSettings.nullable(),
  /** Of the version a rollback would put back. */
  previous: VersionSettings.nullable(),
  desired_version: z.string().nullable(),
  desired_sha256: z.string().nullable(),
  runtime: z.string().nullable(),
  phase: FlowPhase,
  since: z.string(),
  health: FlowHealth,
  setback: SetbackDocument.nullable(),
  /** The revision the setback was met at. */
  attempted_revision: z.string().nullable(),
  failures: z.int().min(0),
  next_attempt_at: z.string().nullable(),
});
export type FlowState = z.infer<typeof FlowState>;

/** `quarantine/<sha256>` */
export const Quarantine = z.object({
  cause: z.enum(['digest', 'health']),
  flow: z.string(),
  /** What the version ran with when it failed; other settings of the same bundle may be tried. */
  spec: FlowSpec.nullable().optional(),
  revision: z.string(),
  message: z.string(),
  at: z.string(),
});
export type Quarantine = z.infer<typeof Quarantine>;

/** `run-streak/<flow>`: how the runs of the version that was activated then have fared, until one succeeds. */
export const RunStreak = z.object({
  sha256: z.string(),
  activated_at: z.string(),
  succeeded: z.boolean(),
  /** Failing runs in a row. */
  failures: z.int().min(0),
  /** How the last of them failed. */
  why: z.string(),
});
export type RunStreak = z.infer<typeof RunStreak>;

/** `intent`: what a reconcile set out to activate, written before it starts (crash protocol, step 1). */
export const Intent = z.object({
  revision: z.string(),
  flows: z.array(z.object({ path: z.string(), spec: FlowSpec })),
});
export type Intent = z.infer<typeof Intent>;

/** `trust-seen`: what status says of trust. */
export const TrustSeen = z.object({
  root_version: z.int().nullable(),
  seq: z.int().nullable(),
  release_expires: z.string().nullable(),
});
export type TrustSeen = z.infer<typeof TrustSeen>;

export const Conditions = z.array(Condition);
