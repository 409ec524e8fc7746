/** The codes of `{error: {code}}` that operations and commands answer with; the exit code follows from it. */
export type OperationErrorCode =
  | 'usage'
  | 'config_missing'
  | 'config_invalid'
  | 'locked'
  | 'flow_not_runnable'
  | 'run_unknown'
  | 'rollback_impossible'
  | 'state_unusable'
  | 'credentials_unusable'
  | 'trust_state_damaged'
  | 'enrolment_refused'
  | 'enrolment_failed'
  | 'not_enrolled'
  | 'branch_missing'
  | 'key_unusable'
  | 'document_refused'
  | 'manifest_invalid'
  | 'policy_invalid'
  | 'disk_full'
  | 'interrupted'
  | 'unreachable'
  | 'internal';

/** An operation that cannot be done, for a reason the person who asked can act on. */
export class OperationError extends Error {
  override name = 'OperationError';
  readonly code: OperationErrorCode;
  readonly exitCode: number;
  readonly details: unknown;

  constructor(
    code: OperationErrorCode,
    message: string,
    options: { exitCode: number; details?: unknown; cause?: unknown },
  ) {
    super(message, options.cause === undefined ? {} : { cause: options.cause });
    this.code = code;
    this.exitCode = options.exitCode;
    this.details = options.details;
  }
}
