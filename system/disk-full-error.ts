/**
 * ENOSPC or EDQUOT while writing `path`, or not enough space to begin. Tried again later: space may come back. `code` is
 * ENOSPC, so that who knows only the system's errors understands it too.
 */
export class DiskFullError extends Error {
  readonly code = 'ENOSPC';
  readonly path: string;

  constructor(path: string, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'DiskFullError';
    this.path = path;
  }
}

/** True for the system's errors that mean a full disk or a used-up quota. */
export function isDiskFull(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return code === 'ENOSPC' || code === 'EDQUOT';
}
