import type { Grant } from '../../../schemas/console/people.ts';
import type { Decision } from '../ports/askers.ts';
import type { NewPerson, PeopleStore, PersonRecord } from '../ports/people.ts';
import { askerGrants } from './askers.ts';
import { insertAudit } from './audit.ts';
import type { ConsoleDatabase } from './database.ts';

type Row = Omit<PersonRecord, 'grants' | 'has_password'> & { password: string | null };

const SELECT = `SELECT people.person_id, login, name, locale, password, invitations.expires_at AS invited_until, created_by,
  created_at, last_sign_in_at FROM people LEFT JOIN invitations ON invitations.person_id = people.person_id`;

/** A person as the other stores read one, too. */
export function readPerson(
  { prepare }: Pick<ConsoleDatabase, 'prepare'>,
  where: 'people.person_id' | 'login' | 'invitations.code_hash',
  value: string,
): { person: PersonRecord; password: string | null } | null {
  const row = prepare(`${SELECT} WHERE ${where} = ?`).get(value) as unknown as Row | undefined;
  return row === undefined ? null : shown({ prepare }, row);
}

function shown({ prepare }: Pick<ConsoleDatabase, 'prepare'>, { password, ...row }: Row) {
  const grants = prepare('SELECT tenant, role FROM person_grants WHERE person_id = ? ORDER BY tenant').all(
    row.person_id,
  );
  return {
    person: {
      ...row,
      grants: grants.map((grant) => ({ ...grant }) as unknown as Grant),
      has_password: password !== null,
    },
    password,
  };
}

export function createPeopleStore(database: ConsoleDatabase): PeopleStore {
  const { prepare, write } = database;
  const find = (personId: string) => readPerson(database, 'people.person_id', personId)?.person ?? null;

  const insert = (person: NewPerson, password: string | null) => {
    const { person_id, login, name, locale, created_by, created_at } = person;
    prepare(
      `INSERT INTO people (person_id, login, name, locale, password, created_by, created_at)
       VALUES (?, ?, ?, ?, ?, ?, ?)`,
    ).run(person_id, login, name, locale, password, created_by, created_at);
    grant(person_id, person.grants);
  };
  const grant = (personId: string, grants: readonly Grant[]) => {
    prepare('DELETE FROM person_grants WHERE person_id = ?').run(personId);
    for (const { tenant, role } of grants) {
      prepare('INSERT INTO person_grants (person_id, tenant, role) VALUES (?, ?, ?)').run(
        personId,
        tenant,
        role,
      );
    }
  };
  const endSessions = (personId: string) => prepare('DELETE FROM sessions WHERE person_id = ?').run(personId);
  const setInvitation = (personId: string, codeHash: string, expiresAt: string) =>
    prepare(
      `INSERT INTO invitations (person_id, code_hash, expires_at) VALUES (?, ?, ?)
       ON CONFLICT (person_id) DO UPDATE SET code_hash = excluded.code_hash, expires_at = excluded.expires_at`,
    ).run(personId, codeHash, expiresAt);
  /** How many may decide who may do what, in all, and of those who can sign in. */
  const admins = () =>
    prepare(
      `SELECT count(*) AS of_all, count(password) AS active FROM people JOIN person_grants USING (person_id)
       WHERE tenant = '*' AND role = 'admin'`,
    ).get() as { of_all: number; active: number };
  const awaitsFirst = () =>
    admins().of_all === 0 &&
    prepare('SELECT 1 FROM people WHERE password IS NOT NULL LIMIT 1').get() === undefined;
  /** True when what has been done leaves nobody of a kind there was. */
  const leavesNoAdmin = (before: ReturnType<typeof admins>) => {
    const after = admins();
    return (before.of_all > 0 && after.of_all === 0) || (before.active > 0 && after.active === 0);
  };

  const decided = <T>({ asker, decide }: Decision<T>, subject: T, at: Date) =>
    decide(subject, askerGrants(database, asker, at));

  return {
    addFirst: async (person, password, told) =>
      write(() => {
        if (!awaitsFirst() || readPerson(database, 'login', person.login) !== null) return false;
        insert(person, password);
        insertAudit(database, told, new Date(person.created_at));
        return true;
      }),
    invite: async (person, { code_hash, expires_at }, decision) =>
      write(() => {
        const { told } = decided(decision, person, new Date(person.created_at));
        if (readPerson(database, 'login', person.login) !== null) return false;
        insert(person, null);
        setInvitation(person.person_id, code_hash, expires_at);
        insertAudit(database, told, new Date(person.created_at));
        return true;
      }),
    get: async (personId) => find(personId),
    byLogin: async (login) => readPerson(database, 'login', login),
    list: async () =>
      (prepare(`${SELECT} ORDER BY login`).all() as unknown as Row[]).map(
        (row) => shown(database, row).person,
      ),
    awaitsFirst: async () => awaitsFirst(),
    change: async (personId, { name, locale, grants }, at, decision) =>
      undoable(write, () => {
        const person = find(personId);
        if (person === null) return { kind: 'absent' };
        const { told, voidsInvitation = false } = decided(decision, person, at);
        const before = admins();
        prepare('UPDATE people SET name = ?, locale = ? WHERE person_id = ?').run(
          name ?? person.name,
          locale === undefined ? person.locale : locale,
          personId,
        );
        if (grants !== undefined) {
          grant(personId, grants);
          endSessions(personId);
        }
        if (voidsInvitation) prepare('DELETE FROM invitations WHERE person_id = ?').run(personId);
        if (leavesNoAdmin(before)) throw new LastAdmin();
        insertAudit(database, told, at);
        return { kind: 'done', person: find(personId) ?? person };
      }),
    remove: async (personId, at, decision) =>
      undoable(write, () => {
        const person = find(personId);
        if (person === null) return { kind: 'absent' };
        const { told } = decided(decision, person, at);
        const before = admins();
        // Grants, invitation and sessions go along.
        prepare('DELETE FROM people WHERE person_id = ?').run(personId);
        if (leavesNoAdmin(before)) throw new LastAdmin();
        insertAudit(database, told, at);
        return { kind: 'done', person };
      }),
    renewInvitation: async (personId, { code_hash, expires_at }, at, decision, options) =>
      undoable(write, () => {
        const person = find(personId);
        if (person === null) return { kind: 'absent' };
        const { told } = decided(decision, person, at);
        const before = admins();
        prepare('UPDATE people SET password = NULL WHERE person_id = ?').run(personId);
        if (options?.evenLastAdmin !== true && leavesNoAdmin(before)) throw new LastAdmin();
        endSessions(personId);
        setInvitation(personId, code_hash, expires_at);
        insertAudit(database, told, at);
        return { kind: 'done', person: find(personId) ?? person };
      }),
    invited: async (codeHash, at) => invitedBy(database, codeHash, at),
    acceptInvitation: async (codeHash, { password, name, locale }, at, told) =>
      write(() => {
        const person = invitedBy(database, codeHash, at);
        if (person === null) return null;
        prepare('DELETE FROM invitations WHERE code_hash = ?').run(codeHash);
        prepare('UPDATE people SET password = ?, name = ?, locale = ? WHERE person_id = ?').run(
          password,
          name ?? person.name,
          locale === undefined ? person.locale : locale,
          person.person_id,
        );
        endSessions(person.person_id);
        insertAudit(database, told, at);
        return find(person.person_id);
      }),
    setPassword: async (personId, from, to, at, told) =>
      write(() => {
        const done = prepare('UPDATE people SET password = ? WHERE person_id = ? AND password = ?').run(
          to,
          personId,
          from,
        );
        if (done.changes === 0) return false;
        endSessions(personId);
        insertAudit(database, told, at);
        return true;
      }),
  };
}

function invitedBy(database: ConsoleDatabase, codeHash: string, at: Date): PersonRecord | null {
  const person = readPerson(database, 'invitations.code_hash', codeHash)?.person;
  return person?.invited_until != null && person.invited_until > at.toISOString() ? person : null;
}

/** Takes the work back and carries the answer out of it. */
class LastAdmin extends Error {}

async function undoable<T>(
  write: ConsoleDatabase['write'],
  work: () => T,
): Promise<T | { kind: 'last_admin' }> {
  try {
    return await write(work);
  } catch (error) {
    if (error instanceof LastAdmin) return { kind: 'last_admin' };
    throw error;
  }
}
