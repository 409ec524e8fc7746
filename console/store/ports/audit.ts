import type { TenantScope } from './tenant-scope.ts';

/** What is written down of who may speak, and of what people and programs did: a closed list (docs/spec/console-api.md). */
export const AUDIT_ACTIONS = [
  'agent_enrolled',
  'agent_unenrolled',
  'agent_revoked',
  'key_rotated',
  'key_rotation_asked',
  'retired_key_used',
  'identity_conflict',
  'event_log_forked',
  'token_made',
  'token_revoked',
  'setup_done',
  'signed_in',
  'sign_in_refused',
  'signed_out',
  'password_changed',
  'person_invited',
  'invitation_accepted',
  'person_changed',
  'person_removed',
  'api_key_made',
  'api_key_revoked',
  'command_handed_in',
  'reconcile_asked',
  'run_asked',
  'cancel_asked',
  'suspend_asked',
  'resume_asked',
  'rollback_asked',
  'upload_removed',
  'trigger_key_set',
  'trigger_key_removed',
  'tenant_added',
  'tenant_changed',
] as const;
export type AuditAction = (typeof AUDIT_ACTIONS)[number];

export interface AuditEntry {
  readonly action: AuditAction;
  readonly tenant: string | null;
  readonly agent_id: string | null;
  /** `person:<login>`, `key:<label>`, `operator` (the console's own shell), `agent`, `console`, or the name a person gave there. */
  readonly by: string;
  /** Id of the person or the key: names may be given again. */
  readonly actor_id?: string | null;
  readonly message: string;
  /** Why, in the words of whoever did it. */
  readonly reason?: string | null;
}

export interface AuditRow extends Required<AuditEntry> {
  readonly id: number;
  readonly at: string;
  /** Of the agent, as it calls itself now. */
  readonly hostname: string | null;
}

export interface AuditFilter {
  /** What is of no tenant is for those who see all of them. */
  readonly tenants?: TenantScope | undefined;
  readonly agent?: string | undefined;
  readonly actions?: readonly string[] | undefined;
  readonly by?: string | undefined;
  /** Words that all have to occur in message, reason, who, action or agent, whatever their case. */
  readonly q?: string | undefined;
  readonly since?: string | undefined;
  readonly until?: string | undefined;
  /** An `id` of a row. */
  readonly before?: number | undefined;
  readonly limit: number;
}

/** The console's own history of who may speak and who did what. Kept when what it is about is long gone. */
export interface AuditStore {
  note(entry: AuditEntry, at: Date): Promise<void>;
  /** `hear` gets every row of this process once it is on the disk, whichever store wrote it. Returns what ends it. */
  onWritten(hear: (entry: AuditEntry) => void): () => void;
  /** Newest first. */
  list(filter: AuditFilter): Promise<AuditRow[]>;
  /** Forgets the oldest beyond `keep`; how many. */
  prune(keep: number, signal?: AbortSignal): Promise<number>;
}
