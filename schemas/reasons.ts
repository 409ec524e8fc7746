import { z } from 'zod';

/** Why an event was written: the closed list of the contract's section 9. */
export const EventReason = z.enum([
  // the agent itself
  'AgentStarted',
  'AgentStopped',
  'StateRecovered',
  'ClockSkewed',
  'ClockCorrected',
  'ConfigApplied',
  'ConfigRejected',
  'Suspended',
  'Resumed',
  // who the agent is
  'DeviceKeyChanged',
  'DeviceKeyKept',
  'MachineChanged',
  'IdentityConflict',
  'IdentityRefused',
  'IdentityRestored',
  'AgentUnenrolled',
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
  'RunRetrying',
  'RunSkipped',
  'ScheduleMissed',
  'OrphansEnded',
  // environments and services
  'EnvironmentBuilt',
  'EnvironmentPruned',
  'ServiceReady',
  'ServiceFailed',
  'ServiceBroken',
  'ServiceStopped',
  // the tunnel
  'TunnelConnected',
  'TunnelDisconnected',
  'TunnelFailed',
  // commands and reports
  'CommandAccepted',
  'CommandRefused',
  'CommandDone',
  'FileUploaded',
  'FileUploadRefused',
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
  // trust.mode: tuf
  'tuf_metadata_missing',
  'tuf_metadata_mismatch',
  'tuf_rollback',
  'tuf_equivocation',
  'tuf_target_missing',
  'tuf_trigger_keys_invalid',
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
  'requirements_invalid',
  'browser_missing',
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
  'environment_failed',
  'io_error',
]);
export type RetryCode = z.infer<typeof RetryCode>;

/** Why a command was not believed (contract, section 8). */
export const CommandRefusalCode = z.enum([
  'not_enrolled',
  'no_root',
  'root_expired',
  'command_too_large',
  'command_malformed',
  'base64url_malformed',
  'header_malformed',
  'alg_not_allowed',
  'typ_mismatch',
  'key_unknown',
  'key_not_allowed',
  'threshold_unsupported',
  'signature_invalid',
  'payload_malformed',
  'action_unknown',
  'tenant_mismatch',
  'agent_mismatch',
  'lifetime_too_long',
  'issued_in_future',
  'command_expired',
  'older_than_state',
]);
export type CommandRefusalCode = z.infer<typeof CommandRefusalCode>;

/** Why a file is kept back (docs/spec/file-upload.md): nothing of it is sent until something changes. */
export const UploadRefusalCode = z.enum([
  // consent
  'uploads_disabled',
  'path_not_allowed',
  'file_too_large',
  'place_not_allowed',
  // the file
  'request_invalid',
  'file_missing',
  'not_a_file',
  'file_changed',
  'output_unknown',
  // the other side, and room
  'refused_by_console',
  'queue_full',
]);
export type UploadRefusalCode = z.infer<typeof UploadRefusalCode>;
