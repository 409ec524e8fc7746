import type { Setback } from '../reconciler/ports.ts';
import { DatabaseError } from '../store/database.ts';
import { StorePlaceError } from '../store/directories.ts';
import { PointerError } from '../store/pointer.ts';
import { DeviceKeyError } from '../trust/device-key.ts';
import { TrustStateError } from '../trust/memory.ts';
import { CredentialsError } from './credentials.ts';
import { OperationError } from './operation-error.ts';

const SQLITE_FULL = 13;
const SQLITE_IOERR = 10;

/** What follows from an error of this machine, or null when the error is none of those: then it is a bug of ours. */
export function explainError(error: unknown): Setback | null {
  if (!(error instanceof Error)) return null;
  const { message } = error;
  if (error instanceof CredentialsError || error instanceof DeviceKeyError) {
    return { kind: 'stalled', code: 'credentials_refused', message };
  }
  if (error instanceof PointerError || error instanceof StorePlaceError || error instanceof TrustStateError) {
    return { kind: 'stalled', code: 'state_unusable', message };
  }
  if (error instanceof DatabaseError && error.code !== 'unusable')
    return { kind: 'stalled', code: 'state_unusable', message };
  const { code, errcode } = error as { code?: unknown; errcode?: unknown };
  const sqlite = typeof errcode === 'number' ? errcode % 256 : null;
  if (code === 'ENOSPC' || code === 'EDQUOT' || sqlite === SQLITE_FULL) {
    return { kind: 'retry', code: 'disk_full', message: `the disk is full: ${message}` };
  }
  const system = typeof code === 'string' && /^E[A-Z]+$/.test(code) && 'syscall' in error;
  if (system || sqlite === SQLITE_IOERR || error instanceof DatabaseError) {
    return { kind: 'retry', code: 'io_error', message };
  }
  return null;
}

/** The same for a command: an OperationError with the exit code that follows, or the error itself. */
export function toOperationError(error: unknown): unknown {
  const setback = error instanceof OperationError ? null : explainError(error);
  if (setback === null) return error;
  const exitCode = setback.kind === 'retry' ? 5 : 4;
  const code = setback.code === 'disk_full' ? 'disk_full' : 'state_unusable';
  return new OperationError(code, setback.message, { exitCode, cause: error });
}
