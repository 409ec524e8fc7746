import type { Retry } from '../reconciler/ports.ts';
import { isDiskFull } from '../system/disk-full-error.ts';

/** What follows when the disk did not take the bytes; null when the error is no such thing. */
export function storageSetback(error: unknown): Retry | null {
  const { code, syscall, message } = error as NodeJS.ErrnoException;
  if (isDiskFull(error))
    return { kind: 'retry', code: 'disk_full', message: `expected room on the disk, found: ${message}` };
  if (code === undefined || syscall === undefined) return null;
  return {
    kind: 'retry',
    code: 'io_error',
    message: `expected to write what was fetched, found: ${message}`,
  };
}
