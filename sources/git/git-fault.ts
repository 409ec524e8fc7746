import type { Setback } from '../../reconciler/ports.ts';
import { HttpError } from '../../system/http-error.ts';
import { printable } from '../../system/printable.ts';

/** Why git could not be asked or not be believed; a closed list. */
export type GitFaultCode =
  | 'network'
  | 'server_error'
  | 'redirect_refused'
  | 'timeout'
  /** The server's bytes are not what they claim to be. */
  | 'source_malformed'
  /** A budget is used up. */
  | 'source_too_large'
  | 'disk_full'
  | 'io_error'
  | 'credentials_refused'
  | 'repository_missing'
  /** The kept repository is not as we left it. */
  | 'cache_damaged';

/** An expected failure inside this folder; it leaves it as a Setback. The message carries no credentials, and can be shown as it is. */
export class GitFault extends Error {
  readonly code: GitFaultCode;
  readonly afterMs: number | undefined;

  constructor(code: GitFaultCode, message: string, options: { cause?: unknown; afterMs?: number } = {}) {
    super(printable(message), { cause: options.cause });
    this.name = 'GitFault';
    this.code = code;
    this.afterMs = options.afterMs;
  }
}

export function malformed(message: string, cause?: unknown): GitFault {
  return new GitFault('source_malformed', message, { cause });
}

/** What follows from a fault. Anything that is no expected failure is thrown on. */
export function toSetback(error: unknown): Setback {
  const fault = toGitFault(error);
  const { message, afterMs } = fault;
  switch (fault.code) {
    case 'credentials_refused':
      return { kind: 'stalled', code: 'credentials_refused', message };
    case 'repository_missing':
      return { kind: 'retry', code: 'server_error', message };
    case 'cache_damaged':
      return { kind: 'retry', code: 'io_error', message };
    case 'network':
    case 'server_error':
    case 'redirect_refused':
    case 'timeout':
    case 'source_malformed':
    case 'source_too_large':
    case 'disk_full':
    case 'io_error':
      return { kind: 'retry', code: fault.code, message, ...(afterMs === undefined ? {} : { afterMs }) };
  }
}

/** Names failures of HTTP and of the disk in our words; throws on what is a bug or an abort. */
export function toGitFault(error: unknown): GitFault {
  if (error instanceof GitFault) return error;
  if (error instanceof HttpError) {
    const codes = {
      network: 'network',
      tls: 'network',
      timeout: 'timeout',
      stalled: 'timeout',
      too_large: 'source_too_large',
      malformed: 'source_malformed',
    } as const;
    return new GitFault(codes[error.code], error.message, { cause: error });
  }
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new GitFault('disk_full', 'expected room on the disk for the git cache, found none; free some', {
      cause: error,
    });
  }
  if (error instanceof Error && typeof code === 'string' && /^E[A-Z]+$/.test(code) && 'syscall' in error) {
    return new GitFault('io_error', `git cache: ${error.message}`, { cause: error });
  }
  throw error;
}
