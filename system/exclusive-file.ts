import { closeSync, openSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';

const SQLITE_BUSY = 5;

/** A file that this process alone holds; whoever dies lets go. */
export interface ExclusiveFile {
  /** False once it was let go. */
  readonly held: () => boolean;
  release(): void;
}

/**
 * Takes the file for this process, made 0600 when it is not there; null while anybody holds it, this process included. An
 * exclusive transaction on an empty SQLite file, which the kernel drops when its holder dies, however it dies (decision 0003).
 * Throws the system's error.
 */
export function takeExclusively(path: string): ExclusiveFile | null {
  createOnce(path);
  const sqlite = new DatabaseSync(path, { timeout: 0 });
  try {
    // Nothing is ever written, so nothing needs a journal.
    sqlite.exec('PRAGMA journal_mode = OFF; BEGIN EXCLUSIVE');
  } catch (error) {
    sqlite.close();
    if (((error as { errcode?: number }).errcode ?? 0) % 256 === SQLITE_BUSY) return null;
    throw error;
  }
  return {
    held: () => sqlite.isOpen,
    release() {
      if (sqlite.isOpen) sqlite.close();
    },
  };
}

/** Only when missing: opening and closing a file that this process has locked would drop its POSIX lock. */
function createOnce(path: string): void {
  try {
    closeSync(openSync(path, 'wx', 0o600));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}
