import type { Grant } from '../../../schemas/console/people.ts';
import type { Decision } from './askers.ts';
import type { AuditEntry } from './audit.ts';

export interface PersonRecord {
  readonly person_id: string;
  /** Lower case. */
  readonly login: string;
  readonly name: string;
  readonly locale: 'en' | 'fr' | null;
  readonly grants: readonly Grant[];
  readonly has_password: boolean;
  /** Until when the invitation that is out is good. */
  readonly invited_until: string | null;
  readonly created_by: string;
  readonly created_at: string;
  readonly last_sign_in_at: string | null;
}

export type NewPerson = Pick<
  PersonRecord,
  'person_id' | 'login' | 'name' | 'locale' | 'grants' | 'created_by' | 'created_at'
>;

/** Of the code only `hashOf` it is kept. */
export interface Invitation {
  readonly code_hash: string;
  readonly expires_at: string;
}

export type PersonChanged =
  | { readonly kind: 'done'; readonly person: PersonRecord }
  | { readonly kind: 'absent' }
  /** Nobody could give anybody a role any more: nothing was done. */
  | { readonly kind: 'last_admin' };

/**
 * People and their invitations. `told` is the row of the audit that is written in the same step, when something was done; where an
 * admin asks, a `Decision` says in the step whether it is done, and the row. Whatever takes a person's password, grants or existence away ends that person's sessions in the same step.
 */
export interface PeopleStore {
  /** With a password at once, and only while `awaitsFirst` and nobody has the login; false otherwise. */
  addFirst(person: NewPerson, password: string, told: AuditEntry): Promise<boolean>;
  /** False when somebody has the login. */
  invite(person: NewPerson, invitation: Invitation, decision: Decision<NewPerson>): Promise<boolean>;
  get(personId: string): Promise<PersonRecord | null>;
  /** With the stored form of the password, null while there is none. */
  byLogin(login: string): Promise<{ readonly person: PersonRecord; readonly password: string | null } | null>;
  /** By login. */
  list(): Promise<PersonRecord[]>;
  /** Nobody can sign in, and nobody is invited who would be an admin of `*`: an invited viewer shuts no door. */
  awaitsFirst(): Promise<boolean>;
  change(
    personId: string,
    change: {
      readonly name?: string;
      readonly locale?: 'en' | 'fr' | null;
      readonly grants?: readonly Grant[];
    },
    at: Date,
    decision: Decision<PersonRecord>,
  ): Promise<PersonChanged>;
  remove(personId: string, at: Date, decision: Decision<PersonRecord>): Promise<PersonChanged>;
  /** Another invitation in the place of the one before, and of the password: of the last admin's only when that is meant. */
  renewInvitation(
    personId: string,
    invitation: Invitation,
    at: Date,
    decision: Decision<PersonRecord>,
    options?: { readonly evenLastAdmin: boolean },
  ): Promise<PersonChanged>;
  /** Whose invitation it is, while it is good. */
  invited(codeHash: string, at: Date): Promise<PersonRecord | null>;
  /** Once. Null when the invitation is not good any more. */
  acceptInvitation(
    codeHash: string,
    accepted: { readonly password: string; readonly name?: string; readonly locale?: 'en' | 'fr' | null },
    at: Date,
    told: AuditEntry,
  ): Promise<PersonRecord | null>;
  /** In the place of `from`, the stored form; false when that is not the password any more. */
  setPassword(personId: string, from: string, to: string, at: Date, told: AuditEntry): Promise<boolean>;
}
