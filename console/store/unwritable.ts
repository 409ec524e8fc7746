import { StoreBusy } from './busy.ts';

/**
 * The database took no write, and would not take another one; nothing of it is kept. `full`: its disk has no room. `read_only`:
 * the disk takes nothing for another reason. It goes on by itself once the cause is gone. The message names no path.
 */
export class StoreUnwritable extends Error {
  readonly code: 'full' | 'read_only';
  constructor(code: 'full' | 'read_only', message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/**
 * For a note that a read makes beside the way (when a key was used last): whoever looks for what is wrong with a full disk has to
 * be let in. `GET /healthz` and every real write tell of it.
 */
export async function whenWritable(note: Promise<void>): Promise<void> {
  try {
    await note;
  } catch (error) {
    if (!(error instanceof StoreUnwritable || error instanceof StoreBusy)) throw error;
  }
}
