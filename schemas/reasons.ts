import { z } from 'zod';

/** Why an event was written: the closed list of the contract's section 9. */
export const EventReason = z.enum([
  // the agent itself
  'AgentStarted',
  'AgentStopped',
  'StateRecovered',
  'ConfigApplied',
  'ConfigRejected',
  'Suspended',
  'Resumed',
  // desired state
  'RevisionSeen',
  'BranchMissing',
  'SourceFailed',
  'SourceRecovered',
  'HistoryRewritten',
  // trust
  'RootAccepted',
  'ReleaseVerified',
  'ReleaseRefused',
  'ReleaseExpiring',
  'PolicyIgnored',
  // plan
  'ManifestInvalid',
  'PolicyInvalid',
  'AgentTooOld',
  'FlowStalled',
  // bundles
  'BundleFetched',
  'BundleFetchFailed',
  'DigestMismatch',
  'DigestQuarantined',
  'QuarantineCleared',
  'UrlNotAllowed',
  'ArchiveRefused',
  'BundleUnpacked',
  'PrepareFailed',
  // activation
  'VersionActivated',
  'ActivationDeferred',
  'FlowDeactivated',
  'HealthPassed',
  'HealthFailed',
  'RolledBack',
  'HoldReleased',
  // the reconcile as a whole
  'RevisionApplied',
  'ReconcileRetrying',
  'ReconcileStalled',
  'ReconcilePreempted',
  // upkeep
  'DriftDetected',
  'DriftRepaired',
  'VersionPruned',
  'TagsPruned',
  'ObjectsPruned',
  'StagingPruned',
  'EventsDropped',
  // runs
  'RunQueued',
  'RunStarted',
  'RunSucceeded',
  'RunFailed',
  'RunTimedOut',
  'RunCancelled',
  'RunLost',
  // commands and reports
  'CommandAccepted',
  'CommandRefused',
  'ReportParked',
  'ReportRetried',
]);
export type EventReason = z.infer<typeof EventReason>;

/** Why trust refused (contract, section 5): a closed list, each with exit code 3. */
export const RefusalCode = z.enum([
  'release_missing',
  'signature_required',
  'document_too_large',
  'document_malformed',
  'base64url_malformed',
  'too_many_signatures',
  'header_malformed',
  'typ_mismatch',
  'duplicate_key',
  'threshold_not_met',
  'type_mismatch',
  'tenant_mismatch',
  'root_version_mismatch',
  'issued_in_future',
  'release_expired',
  'seq_rollback',
  'seq_equivocation',
  'manifest_missing',
  'manifest_mismatch',
  'policy_missing',
  'policy_mismatch',
  'root_missing',
  'root_malformed',
  'root_name_mismatch',
  'root_conflict',
  'root_gap',
  'root_threshold_not_met',
  'root_expired',
  'root_too_many',
  'url_not_allowed',
]);
export type RefusalCode = z.infer<typeof RefusalCode>;

/** Why a person must act: each with exit code 4. */
export const StallCode = z.enum([
  'branch_missing',
  'manifest_missing',
  'manifest_invalid',
  'policy_invalid',
  'empty_not_allowed',
  'agent_too_old',
  'arch_mismatch',
  'runtime_unsupported',
  'entrypoint_missing',
  'interpreter_missing',
  'archive_refused',
  'caps_exceeded',
  'quarantined',
  'credentials_refused',
  'dependency_failed',
  'health_failed',
  'version_name_reserved',
  'state_unusable',
]);
export type StallCode = z.infer<typeof StallCode>;

/** Why the agent waits and tries again by itself: each with exit code 5. */
export const RetryCode = z.enum([
  'network',
  'server_error',
  'redirect_refused',
  'timeout',
  'source_malformed',
  'source_too_large',
  'digest_mismatch',
  'disk_full',
  'outside_window',
  'suspended',
  'locked',
  'preempted',
  'dependency_pending',
  'io_error',
]);
export type RetryCode = z.infer<typeof RetryCode>;
