import type { Retry } from '../reconciler/ports.ts';
import { DiskFullError, isDiskFull } from '../system/disk-full-error.ts';

/** What follows from a failure of the file system: tried again, with what was done, where and the system's own words. */
export function toRetry(error: unknown, doing: string): Retry {
  const found = error instanceof Error ? error.message : String(error);
  if (isDiskFull(error)) {
    return {
      kind: 'retry',
      code: 'disk_full',
      message: `${doing}: the disk is full (${found}); free some space`,
    };
  }
  return { kind: 'retry', code: 'io_error', message: `${doing}: ${found}` };
}

/** True for what the system throws when a file operation fails; anything else is a bug or an abort. */
export function isSystemError(error: unknown): boolean {
  return (
    error instanceof Error &&
    'code' in error &&
    typeof error.code === 'string' &&
    /^E[A-Z0-9]+$/.test(error.code)
  );
}

/** The error as it came, or as `DiskFullError` when the disk is full. */
export function namingDiskFull(error: unknown, path: string): unknown {
  if (!isDiskFull(error) || error instanceof DiskFullError) return error;
  const found = error instanceof Error ? error.message : String(error);
  return new DiskFullError(path, `expected space for ${path}, found a full disk: ${found}`, { cause: error });
}
