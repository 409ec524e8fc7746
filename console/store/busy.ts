/**
 * A write that could not be made in time; nothing of it is kept, and the same may be asked again.
 * `locked`: another process held the database. `overloaded`: more is waiting to be written than the console keeps in memory.
 */
export class StoreBusy extends Error {
  readonly code: 'locked' | 'overloaded';
  constructor(code: 'locked' | 'overloaded', message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
