import type { Grant } from '../../../schemas/console/people.ts';
import type { AuditEntry } from './audit.ts';

/** Who asks for a change. `program`: the console's own shell, which may do everything. */
export interface Asker {
  readonly kind: 'key' | 'person' | 'program';
  readonly id: string;
}

export interface Decided {
  /** The row of the audit that is written in the step. */
  readonly told: AuditEntry;
  /** The invitation of the person that is out opens nothing any more. */
  readonly voidsInvitation?: boolean;
}

/**
 * Whether something is done about a person or a key, decided inside the step that does it: between a look and a step, both that
 * person and who asks may have become others. `decide` hears of the subject as it is then, and what the asker may do then (nothing,
 * when they are there no more); what it throws comes out of the step, and nothing was done.
 */
export interface Decision<T> {
  readonly asker: Asker;
  decide(subject: T, askerGrants: readonly Grant[]): Decided;
}
