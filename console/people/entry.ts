import { Login } from '../../schemas/console/people.ts';
import {
  type AcceptInvitation,
  type PasswordChange,
  type Setup,
  type SignIn,
} from '../../schemas/console/session.ts';
import { RequestRefused } from '../refusal.ts';
import { hashOf } from '../secrets.ts';
import type { PeopleStore, PersonRecord } from '../store/ports/people.ts';
import type { CookieCall } from './cookies.ts';
import type { KnownBrowsers } from './known-browser.ts';
import { expectOwnPassword, type Passwords } from './passwords.ts';
import { tell } from './people.ts';
import type { RefusedSignIns } from './refused-sign-ins.ts';
import type { OpenSession, Sessions } from './sessions.ts';
import type { SetupCode } from './setup-code.ts';
import type { SignInLimits } from './sign-in-limits.ts';

export interface EntryCall extends CookieCall {
  readonly ip: string;
}

export interface Entered {
  readonly session: OpenSession;
  /** Values of `Set-Cookie`. */
  readonly cookies: readonly string[];
}

/** The ways in, for people. Every one of them begins a session of its own. Throws `RequestRefused`. */
export interface Entry {
  /** 401 `sign_in_refused` whatever is wrong, in the same time; 429. */
  signIn(call: EntryCall, given: SignIn): Promise<Entered>;
  signOut(session: OpenSession): Promise<void>;
  /** 403 `code_refused`. The first person, once. */
  setup(call: EntryCall, given: Setup): Promise<Entered>;
  /** 403 `code_refused` for an invitation that is used, over or none. */
  accept(call: EntryCall, given: AcceptInvitation): Promise<Entered>;
  /** All sessions of the person end; the answer's begins. 403 `password_refused`, 429. */
  changePassword(call: EntryCall, session: OpenSession, given: PasswordChange): Promise<Entered>;
}

export function createEntry(parts: {
  readonly people: PeopleStore;
  readonly sessions: Sessions;
  readonly passwords: Passwords;
  readonly known: KnownBrowsers;
  readonly limits: SignInLimits;
  readonly setupCode: SetupCode;
  readonly refused: RefusedSignIns;
  readonly now: () => Date;
  readonly newId: () => string;
}): Entry {
  const { people, sessions, passwords, known, limits, setupCode, now } = parts;

  const enter = async (
    call: EntryCall,
    { person_id, login, grants }: PersonRecord,
    stored: string,
    message: string | null,
  ): Promise<Entered | null> => {
    const person = { person_id, login, grants };
    const told = message === null ? null : tell(asPerson(person), 'signed_in', person, message);
    const before = await sessions.of(call);
    const session = await sessions.open(person_id, stored, told);
    if (session === null) return null;
    // Whoever put a session of theirs into this browser has nothing of the new one; and the old one is of no use any more.
    if (before !== null) {
      const left = { ...before.record.person };
      await sessions.close(
        before.record,
        tell(asPerson(left), 'signed_out', left, 'signed out, as the browser signed in again'),
      );
    }
    const browser = known.of(call, login) === null ? [known.cookie(login)] : [];
    return { session, cookies: [sessions.cookie(session.token), ...browser] };
  };
  const expectEntered = (entered: Entered | null): Entered => {
    if (entered !== null) return entered;
    const message = 'expected nobody else to change this person meanwhile; sign in again';
    throw new RequestRefused(409, 'changed_meanwhile', message);
  };

  return {
    async signIn(call, given) {
      const login = Login.safeParse(given.login).data ?? given.login;
      limits.take({ login, ip: call.ip, browser: known.of(call, login) });
      const found = await people.byLogin(login);
      const right = await passwords.verify(given.password, found?.password ?? null);
      const message = `signed in from ${call.ip}`;
      const entered =
        right && found?.password != null ? await enter(call, found.person, found.password, message) : null;
      if (entered !== null) return entered;
      parts.refused.note(found?.person ?? null, call.ip);
      throw new RequestRefused(
        401,
        'sign_in_refused',
        'expected a login and its password, found a pair that does not fit; try again, or ask an admin for a new invitation',
      );
    },
    async signOut({ record }) {
      await sessions.close(record, tell(asPerson(record.person), 'signed_out', record.person, 'signed out'));
    },
    async setup(call, { code, login, name = login, locale, password }) {
      if (!setupCode.matches(code))
        throw wrongCode('the setup code that the console printed when it started');
      expectOwnPassword(password, login, name);
      const stored = await passwords.hash(password);
      const person = {
        person_id: parts.newId(),
        login,
        name,
        locale,
        grants: [{ tenant: '*', role: 'admin' } as const],
        created_by: 'setup',
        created_at: now().toISOString(),
      };
      const told = tell(asPerson(person), 'setup_done', person, `is the first admin, made at ${call.ip}`);
      const made = await people.addFirst(person, stored, told);
      const first = made ? await people.get(person.person_id) : null;
      if (first === null) throw wrongCode('a console that has no admin yet, and a login that nobody has');
      setupCode.end();
      return expectEntered(await enter(call, first, stored, null));
    },
    async accept(call, { code, password, name, locale }) {
      const hash = hashOf(code);
      const invited = await people.invited(hash, now());
      if (invited === null) throw wrongCode('an invitation that is good; ask for a new one');
      expectOwnPassword(password, invited.login, name ?? invited.name);
      const stored = await passwords.hash(password);
      const told = tell(asPerson(invited), 'invitation_accepted', invited, `chose a password, at ${call.ip}`);
      const accepted = {
        password: stored,
        ...(name === undefined ? {} : { name }),
        ...(locale === undefined ? {} : { locale }),
      };
      const person = await people.acceptInvitation(hash, accepted, now(), told);
      if (person === null) throw wrongCode('an invitation that is good; ask for a new one');
      return expectEntered(await enter(call, person, stored, null));
    },
    async changePassword(call, { record }, { current, password }) {
      const { person } = record;
      limits.take({ login: person.login, ip: call.ip, browser: record.token_hash });
      expectOwnPassword(password, person.login, person.name);
      const stored = (await people.byLogin(person.login))?.password ?? null;
      if (stored === null || !(await passwords.verify(current, stored))) {
        const message = 'expected the password of now, found another; try again';
        throw new RequestRefused(403, 'password_refused', message);
      }
      const next = await passwords.hash(password);
      const told = tell(asPerson(person), 'password_changed', person, 'changed the password');
      const changed = await people.setPassword(person.person_id, stored, next, now(), told);
      return expectEntered(changed ? await enter(call, person, next, null) : null);
    },
  };
}

function asPerson({ login, person_id }: Pick<PersonRecord, 'login' | 'person_id'>) {
  return { by: `person:${login}`, id: person_id };
}

function wrongCode(expected: string): RequestRefused {
  return new RequestRefused(403, 'code_refused', `expected ${expected}, found another`);
}
