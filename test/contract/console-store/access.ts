import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ApiKeyStore } from '../../../console/store/ports/api-keys.ts';
import type { Decided, Decision } from '../../../console/store/ports/askers.ts';
import type { AuditEntry, AuditStore } from '../../../console/store/ports/audit.ts';
import type { NewPerson, PeopleStore } from '../../../console/store/ports/people.ts';
import type { SessionStore } from '../../../console/store/ports/sessions.ts';
import type { Grant } from '../../../schemas/console/people.ts';

/** The stores of who may use a console, over one empty database. */
export interface AccessStores {
  readonly people: PeopleStore;
  readonly sessions: SessionStore;
  readonly apiKeys: ApiKeyStore;
  readonly audit: AuditStore;
  close(): Promise<void>;
}

const AT = new Date('2026-11-20T12:00:00.000Z');
const later = (minutes: number) => new Date(AT.getTime() + minutes * 60_000);
const ADMIN: Grant = { tenant: '*', role: 'admin' };
const VIEWER: Grant = { tenant: 'acme', role: 'viewer' };

const told = (message = 'something was done', change: Partial<AuditEntry> = {}): AuditEntry => ({
  action: 'person_changed',
  tenant: null,
  agent_id: null,
  by: 'console',
  message,
  ...change,
});
/** Decided with no look at who asks. */
const yes = (row = told(), change: Partial<Decided> = {}): Decision<unknown> => ({
  asker: { kind: 'program', id: 'operator' },
  decide: () => ({ told: row, ...change }),
});
const person = (login: string, grants: readonly Grant[] = [VIEWER]): NewPerson => ({
  person_id: `id-${login}`,
  login,
  name: login,
  locale: null,
  grants,
  created_by: 'console',
  created_at: AT.toISOString(),
});
const invitation = (code: string, minutes = 60) => ({
  code_hash: code,
  expires_at: later(minutes).toISOString(),
});

/** What the stores of people, sessions, keys and the audit keep to (console/store/ports/). */
export function accessStoresContract(name: string, open: () => Promise<AccessStores>): void {
  describe(`${name} as the stores of who may use the console`, () => {
    let stores: AccessStores;
    beforeEach(async () => {
      stores = await open();
    });
    afterEach(async () => stores.close());

    /** Invited, and has chosen a password. */
    const active = async (login: string, grants?: readonly Grant[]) => {
      await stores.people.invite(person(login, grants), invitation(`code-${login}`), yes());
      await stores.people.acceptInvitation(`code-${login}`, { password: `hash-${login}` }, AT, told());
    };
    const openSession = async (
      login: string,
      token: string,
      password = `hash-${login}`,
      at = AT,
      keep = 20,
    ) => stores.sessions.open({ token_hash: token, person_id: `id-${login}`, password }, at, keep, null);
    const messages = async () => (await stores.audit.list({ limit: 100 })).map(({ message }) => message);

    describe('people', () => {
      test('make a first one only when there is nobody, however many ask at once', async () => {
        expect(await stores.people.awaitsFirst()).toBe(true);
        const made = await Promise.all(
          ['ann', 'bob', 'carl'].map(async (login) =>
            stores.people.addFirst(person(login, [ADMIN]), 'hash', told(`made ${login}`)),
          ),
        );
        expect(made.filter(Boolean)).toHaveLength(1);
        const found = await stores.people.list();
        expect(found).toMatchObject([{ has_password: true, grants: [ADMIN], invited_until: null }]);
        expect(await messages()).toEqual([`made ${found[0]?.login}`]);
      });

      test('leave the door open while only a reader is invited, and close it at an invited admin', async () => {
        const invite = async (login: string, grant: Grant) =>
          stores.people.invite(person(login, [grant]), invitation(`code-${login}`), yes());
        await invite('vera', { tenant: 'acme', role: 'viewer' });
        expect(await stores.people.awaitsFirst()).toBe(true);
        expect(await stores.people.addFirst(person('vera', [ADMIN]), 'hash', told())).toBe(false);
        await invite('ann', ADMIN);
        expect(await stores.people.awaitsFirst()).toBe(false);
        expect(await stores.people.addFirst(person('carl', [ADMIN]), 'hash', told())).toBe(false);
      });

      test('shut the door once anybody can sign in, whatever they may do', async () => {
        await active('vera', [VIEWER]);
        expect(await stores.people.awaitsFirst()).toBe(false);
        expect(await stores.people.addFirst(person('carl', [ADMIN]), 'hash', told())).toBe(false);
      });

      test('have a login that nobody else has', async () => {
        const asked = await Promise.all(
          [1, 2].map(async (place) =>
            stores.people.invite(
              { ...person('ann'), person_id: `id-${place}` },
              invitation(`code-${place}`),
              yes(),
            ),
          ),
        );
        expect(asked.filter(Boolean)).toHaveLength(1);
        expect(await stores.people.list()).toHaveLength(1);
        expect(await messages()).toHaveLength(1);
      });

      test('take an invitation once, until its time is over', async () => {
        await stores.people.invite(person('ann'), invitation('code', 60), yes(told('invited')));
        expect(await stores.people.invited('other', AT)).toBe(null);
        expect(await stores.people.invited('code', later(60))).toBe(null);
        expect(await stores.people.acceptInvitation('code', { password: 'h' }, later(60), told())).toBe(null);
        expect((await stores.people.byLogin('ann'))?.password).toBe(null);
        const accepted = { password: 'h', name: 'Ann', locale: 'fr' as const };
        const answers = await Promise.all(
          [1, 2].map(async () =>
            stores.people.acceptInvitation('code', accepted, later(59), told('accepted')),
          ),
        );
        expect(answers.filter((answer) => answer !== null)).toHaveLength(1);
        expect(await stores.people.byLogin('ann')).toMatchObject({
          password: 'h',
          person: { name: 'Ann', locale: 'fr', has_password: true, invited_until: null },
        });
        expect(await messages()).toEqual(['accepted', 'invited']);
      });

      test('lose password, sessions and the invitation before to another one', async () => {
        await active('ann');
        await openSession('ann', 'token');
        const again = await stores.people.renewInvitation('id-ann', invitation('two'), AT, yes());
        const person = { has_password: false, invited_until: later(60).toISOString() };
        expect(again).toMatchObject({ kind: 'done', person });
        expect(await stores.sessions.byHash('token')).toBe(null);
        await stores.people.renewInvitation('id-ann', invitation('three'), AT, yes());
        expect(await stores.people.invited('two', AT)).toBe(null);
        expect((await stores.people.invited('three', AT))?.login).toBe('ann');
        const absent = await stores.people.renewInvitation('id-nobody', invitation('four'), AT, yes());
        expect(absent).toEqual({ kind: 'absent' });
      });

      test('keep their sessions when their name changes, and lose them to other grants', async () => {
        await active('ann');
        await openSession('ann', 'token');
        await stores.people.change('id-ann', { name: 'Ann' }, AT, yes());
        expect((await stores.sessions.byHash('token'))?.person.name).toBe('Ann');
        const grants: Grant[] = [VIEWER, { tenant: 'globex', role: 'operator' }];
        const changed = await stores.people.change('id-ann', { grants }, AT, yes());
        expect(changed).toMatchObject({ kind: 'done', person: { name: 'Ann', grants } });
        expect(await stores.sessions.byHash('token')).toBe(null);
        expect(await stores.people.change('id-nobody', { name: 'x' }, AT, yes())).toEqual({
          kind: 'absent',
        });
      });

      test('never lose the last who decides over all, nor the last of those who can sign in', async () => {
        await active('ann', [ADMIN]);
        await openSession('ann', 'token');
        await stores.people.invite(person('bob', [ADMIN]), invitation('code'), yes());
        const before = await messages();
        expect(await stores.people.remove('id-ann', AT, yes(told('no')))).toEqual({ kind: 'last_admin' });
        const smaller = await stores.people.change('id-ann', { grants: [VIEWER] }, AT, yes(told('no')));
        expect(smaller).toEqual({ kind: 'last_admin' });
        const again = await stores.people.renewInvitation('id-ann', invitation('two'), AT, yes(told('no')));
        expect(again).toEqual({ kind: 'last_admin' });
        expect((await stores.people.byLogin('ann'))?.password).not.toBe(null);
        expect(await stores.people.invited('two', AT)).toBe(null);
        expect(await stores.people.get('id-ann')).toMatchObject({ grants: [ADMIN] });
        expect(await stores.sessions.byHash('token')).not.toBe(null);
        expect(await messages()).toEqual(before);
        await stores.people.acceptInvitation('code', { password: 'h' }, AT, told());
        // of two who ask at once to be rid of each other, one stays
        const removed = await Promise.all(
          ['id-ann', 'id-bob'].map(async (id) => stores.people.remove(id, AT, yes())),
        );
        expect(removed.map(({ kind }) => kind).toSorted()).toEqual(['done', 'last_admin']);
        expect(await stores.people.list()).toHaveLength(1);
      });

      test('are decided over in the step itself: as they are then, by what who asks may do then', async () => {
        await active('ann');
        await active('bob', [{ tenant: 'acme', role: 'admin' }]);
        const heard: unknown[] = [];
        const byBob = (): Decision<{ grants: readonly Grant[] }> => ({
          asker: { kind: 'person', id: 'id-bob' },
          decide: ({ grants }, askerGrants) => {
            heard.push([grants, askerGrants]);
            if (grants.some(({ tenant }) => tenant === '*') || askerGrants.length === 0)
              throw new Error('no');
            return { told: told('by bob') };
          },
        });
        // what was asked first is done first, and Bob hears of it
        const [, removed] = await Promise.allSettled([
          stores.people.change('id-ann', { grants: [ADMIN] }, AT, yes(told('larger'))),
          stores.people.remove('id-ann', AT, byBob()),
        ]);
        expect(removed).toMatchObject({ status: 'rejected', reason: { message: 'no' } });
        const [, changed, made] = await Promise.allSettled([
          stores.people.remove('id-bob', AT, yes(told('bob is gone'))),
          stores.people.change('id-ann', { name: 'x' }, AT, byBob()),
          stores.people.invite(person('carl'), invitation('c'), byBob()),
        ]);
        expect([changed.status, made.status]).toEqual(['rejected', 'rejected']);
        expect(heard).toEqual([
          [[ADMIN], [{ tenant: 'acme', role: 'admin' }]],
          [[ADMIN], []],
          [[VIEWER], []],
        ]);
        expect(await stores.people.get('id-ann')).toMatchObject({ name: 'ann', grants: [ADMIN] });
        expect(await stores.people.byLogin('carl')).toBe(null);
        expect(await messages()).not.toContain('by bob');
      });

      test('lose the invitation that is out when that is decided with other grants', async () => {
        await stores.people.invite(person('ann'), invitation('code'), yes());
        await stores.people.change('id-ann', { name: 'Ann' }, AT, yes());
        expect((await stores.people.invited('code', AT))?.name).toBe('Ann');
        const change = { grants: [ADMIN] };
        const changed = await stores.people.change(
          'id-ann',
          change,
          AT,
          yes(told(), { voidsInvitation: true }),
        );
        expect(changed).toMatchObject({ kind: 'done', person: { invited_until: null, grants: [ADMIN] } });
        expect(await stores.people.invited('code', AT)).toBe(null);
      });

      test('lose the password of the last admin to another invitation when that is meant', async () => {
        await active('ann', [ADMIN]);
        const code = invitation('two');
        const again = await stores.people.renewInvitation('id-ann', code, AT, yes(), {
          evenLastAdmin: true,
        });
        expect(again).toMatchObject({ kind: 'done', person: { has_password: false } });
      });

      test('change a password only from the one it is, and end every session with it', async () => {
        await active('ann');
        await openSession('ann', 'token');
        expect(await stores.people.setPassword('id-ann', 'wrong', 'new', AT, told('no'))).toBe(false);
        expect(await stores.sessions.byHash('token')).not.toBe(null);
        expect(await stores.people.setPassword('id-ann', 'hash-ann', 'new', AT, told('yes'))).toBe(true);
        expect(await stores.sessions.byHash('token')).toBe(null);
        expect(await messages()).toContain('yes');
        expect(await messages()).not.toContain('no');
      });
    });

    describe('sessions', () => {
      test('are of a person who is there and whose password is still the one that was looked at', async () => {
        await active('ann');
        expect(await openSession('ann', 'one', 'hash-of-before')).toBe(null);
        expect(await openSession('nobody', 'two', 'hash-nobody')).toBe(null);
        await stores.people.invite(person('bob'), invitation('b'), yes());
        expect(await openSession('bob', 'three', '')).toBe(null);
        const session = await openSession('ann', 'four');
        expect(session).toMatchObject({
          used_at: AT.toISOString(),
          person: { login: 'ann', grants: [VIEWER] },
        });
        expect((await stores.people.get('id-ann'))?.last_sign_in_at).toBe(AT.toISOString());
        await stores.people.remove('id-ann', AT, yes());
        expect(await stores.sessions.byHash('four')).toBe(null);
      });

      test('keep the newest of a person, when they were last used, and go by age', async () => {
        await active('ann');
        for (const [place, token] of ['one', 'two', 'three'].entries())
          await openSession('ann', token, 'hash-ann', later(place), 2);
        expect(await stores.sessions.byHash('one')).toBe(null);
        await stores.sessions.used('two', later(30));
        expect((await stores.sessions.byHash('two'))?.used_at).toBe(later(30).toISOString());
        expect(await stores.sessions.prune(later(10), AT)).toBe(1);
        expect(await stores.sessions.byHash('three')).toBe(null);
        expect(await stores.sessions.prune(AT, later(10))).toBe(1);
        expect(await stores.sessions.byHash('two')).toBe(null);
      });

      test('end once, and are told of once', async () => {
        await active('ann');
        await openSession('ann', 'token');
        for (const at of [AT, later(1)]) await stores.sessions.close('token', at, told('left'));
        expect(await stores.sessions.byHash('token')).toBe(null);
        expect((await messages()).filter((message) => message === 'left')).toHaveLength(1);
      });
    });

    describe('keys of the API', () => {
      const key = (id: string, minutes = 0) => ({
        key_id: id,
        hash: `hash-${id}`,
        label: 'ci',
        grants: [VIEWER],
        created_by: 'operator',
        created_at: later(minutes).toISOString(),
        expires_at: null,
      });

      test('are found by their hash, and listed newest first', async () => {
        await stores.apiKeys.add(key('a'), yes(told('made a')));
        await stores.apiKeys.add(key('b', 1), yes(told('made b')));
        expect(await stores.apiKeys.byHash('hash-a')).toMatchObject({ key_id: 'a', grants: [VIEWER] });
        expect(await stores.apiKeys.byHash('a')).toBe(null);
        expect((await stores.apiKeys.list()).map(({ key_id }) => key_id)).toEqual(['b', 'a']);
        expect([await stores.apiKeys.count(), await messages()]).toEqual([2, ['made b', 'made a']]);
        await expect(stores.apiKeys.add(key('a'), yes(told('made a twice')))).rejects.toThrow();
        expect(await messages()).toEqual(['made b', 'made a']);
      });

      test('are decided over in the step itself, by what the key that asks may do then', async () => {
        await stores.apiKeys.add(key('a'), yes(told('made a')));
        await stores.apiKeys.add(key('b'), yes(told('made b')));
        const byB = (): Decision<unknown> => ({
          asker: { kind: 'key', id: 'b' },
          decide: (_key, askerGrants) => {
            if (askerGrants.length === 0) throw new Error('no');
            return { told: told('by b') };
          },
        });
        const [, revoked, made] = await Promise.allSettled([
          stores.apiKeys.revoke('b', later(1), yes(told('b is void'))),
          stores.apiKeys.revoke('a', later(1), byB()),
          stores.apiKeys.add(key('c'), byB()),
        ]);
        expect([revoked.status, made.status]).toEqual(['rejected', 'rejected']);
        expect(await stores.apiKeys.get('a')).toMatchObject({ revoked_at: null });
        expect(await messages()).toEqual(['b is void', 'made b', 'made a']);
      });

      test('are revoked once: the first time counts, and is told of', async () => {
        await stores.apiKeys.add(key('a'), yes(told('made')));
        await stores.apiKeys.used('a', later(1));
        await stores.apiKeys.revoke('a', later(2), yes(told('void')));
        const again = await stores.apiKeys.revoke('a', later(3), yes(told('void again')));
        expect(again).toMatchObject({
          revoked_at: later(2).toISOString(),
          last_used_at: later(1).toISOString(),
        });
        expect(await stores.apiKeys.revoke('nobody', AT, yes(told('void')))).toBe(null);
        expect(await messages()).toEqual(['void', 'made']);
      });
    });

    describe('the audit', () => {
      beforeEach(async () => {
        const rows: [number, AuditEntry][] = [
          [0, told('Ann was invited', { tenant: 'acme', by: 'person:bob', actor_id: 'id-bob' })],
          [
            1,
            told('an agent was revoked', {
              tenant: 'globex',
              action: 'agent_revoked',
              agent_id: 'a1',
              reason: 'it was STOLEN',
            }),
          ],
          [2, told('signed in', { action: 'signed_in', by: 'person:ann' })],
        ];
        for (const [minutes, row] of rows) await stores.audit.note(row, later(minutes));
      });
      const found = async (filter: Omit<Parameters<AuditStore['list']>[0], 'limit'>) =>
        (await stores.audit.list({ ...filter, limit: 100 })).map(({ message }) => message);

      test('shows the newest first, whole, in pages', async () => {
        const [newest, second] = await stores.audit.list({ limit: 2 });
        expect(newest).toMatchObject({
          at: later(2).toISOString(),
          reason: null,
          actor_id: null,
          hostname: null,
        });
        expect(second).toMatchObject({
          tenant: 'globex',
          agent_id: 'a1',
          reason: 'it was STOLEN',
          by: 'console',
        });
        expect(await found({ before: second?.id })).toEqual(['Ann was invited']);
      });

      test('shows what is of no tenant to those who see all of them alone', async () => {
        expect(await found({ tenants: '*' })).toHaveLength(3);
        expect(await found({ tenants: ['acme'] })).toEqual(['Ann was invited']);
        expect(await found({ tenants: ['acme', 'globex'] })).toHaveLength(2);
        expect(await found({ tenants: [] })).toEqual([]);
      });

      test('finds by who, what, when and by words in any order and case', async () => {
        expect(await found({ by: 'person:ann' })).toEqual(['signed in']);
        expect(await found({ actions: ['signed_in', 'agent_revoked'] })).toHaveLength(2);
        expect(await found({ agent: 'a1' })).toEqual(['an agent was revoked']);
        expect(await found({ q: 'stolen AGENT' })).toEqual(['an agent was revoked']);
        expect(await found({ q: 'stolen bob' })).toEqual([]);
        expect(await found({ q: '%' })).toEqual([]);
        expect(await found({ since: later(1).toISOString(), until: later(2).toISOString() })).toEqual([
          'an agent was revoked',
        ]);
        // the same time in another zone
        expect(await found({ since: '2026-11-20T13:02:00+01:00' })).toEqual(['signed in']);
      });

      test('forgets the oldest, and cuts what is long', async () => {
        await stores.audit.note(told('x'.repeat(5_000), { reason: 'y'.repeat(5_000) }), later(3));
        expect(await stores.audit.prune(2)).toBe(2);
        const rows = await stores.audit.list({ limit: 100 });
        expect(rows.map(({ message, reason }) => [message.length, reason?.length])).toEqual([
          [1_000, 1_000],
          [9, undefined],
        ]);
      });
    });
  });
}
