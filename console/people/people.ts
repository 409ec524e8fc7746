import type { Grant, PersonChange, PersonDraft } from '../../schemas/console/people.ts';
import { notFound, RequestRefused } from '../refusal.ts';
import { hashOf, newToken } from '../secrets.ts';
import type { Decided, Decision } from '../store/ports/askers.ts';
import type { AuditAction, AuditEntry } from '../store/ports/audit.ts';
import type { PeopleStore, PersonChanged, PersonRecord } from '../store/ports/people.ts';
import { type Actor, scopeOf } from './actor.ts';
import { grantsInWords, onlyTenant } from './api-keys.ts';
import { decidesOver, expectToGive, expectToGiveNow, givesMore, reaches } from './giving.ts';

const INVITATION_MS = 24 * 60 * 60_000;

export interface Invited {
  readonly person: PersonRecord;
  /** Where the person chooses a password; shown here and nowhere else. */
  readonly url: string;
  readonly expiresAt: string;
}

/**
 * People, as their admins see them: those over all of whose tenants one decides. Others are not there (404). Throws
 * `RequestRefused`. What takes something away ends the person's sessions. What an admin may do is decided in the step that does it.
 */
export interface People {
  /** By login. `tenant`, here and below: only of those who may do something there. */
  list(actor: Actor, tenant?: string): Promise<PersonRecord[]>;
  invite(actor: Actor, draft: PersonDraft): Promise<Invited>;
  /** Another invitation; the password and the one before are void: of the last admin's only when the shell asks. */
  inviteAgain(actor: Actor, personId: string, tenant?: string): Promise<Invited>;
  /** Given more, an invitation that is out is void: it was made for less, and nobody knows who has the link. */
  change(actor: Actor, personId: string, change: PersonChange, tenant?: string): Promise<PersonRecord>;
  remove(actor: Actor, personId: string, tenant?: string): Promise<PersonRecord>;
}

export function createPeople(parts: {
  readonly store: PeopleStore;
  readonly isTenant: (slug: string) => Promise<boolean>;
  readonly now: () => Date;
  readonly newId: () => string;
  readonly publicUrl: () => string;
}): People {
  const { store, now } = parts;

  const expectTheirs = (grants: readonly Grant[], person: PersonRecord, tenant: string | undefined) => {
    if (decidesOver({ grants }, person.grants) && reaches(person.grants, tenant)) return;
    throw notFound('expected the id of a person, found no such person');
  };
  /** Before anything is asked of the disk; what counts is decided in the step. */
  const expectKnown = async (actor: Actor, personId: string, tenant: string | undefined) => {
    scopeOf(actor, undefined, 'admin');
    const person = await store.get(personId);
    if (person === null) throw notFound('expected the id of a person, found no such person');
    expectTheirs(actor.grants, person, tenant);
  };
  const decision = (
    asker: Actor,
    tenant: string | undefined,
    decided: (person: PersonRecord, askerGrants: readonly Grant[]) => Decided,
  ): Decision<PersonRecord> => ({
    asker,
    decide: (person, askerGrants) => {
      expectTheirs(askerGrants, person, tenant);
      return decided(person, askerGrants);
    },
  });
  const newInvitation = () => {
    const code = newToken('eci');
    const expiresAt = new Date(now().getTime() + INVITATION_MS).toISOString();
    const url = `${parts.publicUrl()}/invite#${code}`;
    return { url, expiresAt, invitation: { code_hash: hashOf(code), expires_at: expiresAt } };
  };

  return {
    async list(actor, tenant) {
      if (scopeOf(actor, tenant, 'admin').length === 0) return [];
      return (await store.list()).filter(
        ({ grants }) => decidesOver(actor, grants) && reaches(grants, tenant),
      );
    },
    async invite(actor, { login, name = login, locale, grants }) {
      scopeOf(actor, undefined, 'admin');
      await expectToGive(actor, grants, parts.isTenant);
      const { url, expiresAt, invitation } = newInvitation();
      const person = {
        person_id: parts.newId(),
        login,
        name,
        locale,
        grants,
        created_by: actor.by,
        created_at: now().toISOString(),
      };
      const told = tell(actor, 'person_invited', person, `was invited: ${grantsInWords(grants)}`);
      const decide = (_person: unknown, askerGrants: readonly Grant[]) => {
        expectToGiveNow(grants, askerGrants);
        return { told };
      };
      if (!(await store.invite(person, invitation, { asker: actor, decide }))) {
        const message = `expected a login that nobody has, found "${login}", which somebody has; choose another`;
        throw new RequestRefused(409, 'login_taken', message);
      }
      return { person: (await store.get(person.person_id)) as PersonRecord, url, expiresAt };
    },
    async inviteAgain(actor, personId, tenant) {
      await expectKnown(actor, personId, tenant);
      const { url, expiresAt, invitation } = newInvitation();
      const again = decision(actor, tenant, (person) => ({
        told: tell(actor, 'person_invited', person, 'was invited again; the password is void'),
      }));
      // Whoever has the console's shell cannot be shut out, and may have nobody else to ask.
      const options = { evenLastAdmin: actor.kind === 'program' };
      const invited = done(await store.renewInvitation(personId, invitation, now(), again, options));
      return { person: invited, url, expiresAt };
    },
    async change(actor, personId, { name, locale, grants }, tenant) {
      await expectKnown(actor, personId, tenant);
      if (grants !== undefined) await expectToGive(actor, grants, parts.isTenant);
      const changed = decision(actor, tenant, (person, askerGrants) => {
        if (grants === undefined) {
          return { told: tell(actor, 'person_changed', person, 'has another name or language') };
        }
        expectToGiveNow(grants, askerGrants);
        const roles = `is ${grantsInWords(grants)} now, and was ${grantsInWords(person.grants)}`;
        // Whoever holds the link was to have what it was given for.
        const voidsInvitation = person.invited_until !== null && givesMore(person.grants, grants);
        const words = voidsInvitation ? `${roles}; the invitation that was out is void` : roles;
        return { told: tell(actor, 'person_changed', person, words), voidsInvitation };
      });
      const change = {
        ...(name === undefined ? {} : { name }),
        ...(locale === undefined ? {} : { locale }),
        ...(grants === undefined ? {} : { grants }),
      };
      return done(await store.change(personId, change, now(), changed));
    },
    async remove(actor, personId, tenant) {
      await expectKnown(actor, personId, tenant);
      const removed = decision(actor, tenant, (person) => ({
        told: tell(actor, 'person_removed', person, 'was removed'),
      }));
      return done(await store.remove(personId, now(), removed));
    },
  };
}

function done(outcome: PersonChanged): PersonRecord {
  switch (outcome.kind) {
    case 'done':
      return outcome.person;
    case 'absent':
      throw notFound('expected the id of a person, found no such person');
    case 'last_admin': {
      const message =
        'expected somebody to stay who is admin of * and can sign in, found the last one; make somebody else an admin of * first (a lost password: edge-console person reset, at the console’s shell)';
      throw new RequestRefused(409, 'last_admin', message);
    }
  }
}

/** A row of the audit about a person. */
export function tell(
  { by, id }: Pick<Actor, 'by' | 'id'>,
  action: AuditAction,
  person: Pick<PersonRecord, 'login' | 'person_id' | 'grants'>,
  what: string,
): AuditEntry {
  const message = `"${person.login}" (${person.person_id}) ${what}`;
  return { action, tenant: onlyTenant(person.grants), agent_id: null, by, actor_id: id, message };
}
