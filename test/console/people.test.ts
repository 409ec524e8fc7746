import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Actor, PROGRAM } from '../../console/people/actor.ts';
import type { ApiKey, NewKeyAnswer } from '../../schemas/console/keys.ts';
import type { Grant, InvitedPerson, PeopleAnswer, Role } from '../../schemas/console/people.ts';
import {
  addTenant,
  type EnrolledAgent,
  enrolAgent,
  type RunningConsole,
  startConsole,
} from './running-console.ts';
import { type Browser, newBrowser, PASSWORD, signedIn } from './signed-in.ts';
import { command } from './tunnel-client.ts';

let aheadMs = 0;
const clock = { now: () => new Date(Date.now() + aheadMs), monotonicMs: () => performance.now() };

let running: RunningConsole;
let agent: EnrolledAgent;
/** Admins: of everything, and of acme. */
let all: Browser;
let acme: Browser;

const on = (tenant: string, role: Role): Grant => ({ tenant, role });
const codeOf = async (answer: Response) =>
  ((await answer.json()) as { error?: { code: string } }).error?.code ?? null;
const invite = async (by: Browser, grants: Grant[], login = `p-${randomUUID()}`) =>
  by.call('POST', '/api/people', { login, grants });
const invited = async (by: Browser, grants: Grant[]) => {
  const answer = await invite(by, grants);
  expect(answer.status).toBe(201);
  const { person, invitation } = (await answer.json()) as InvitedPerson;
  return { person, code: invitation.url.split('#')[1] as string };
};
const accept = async (code: string, password = PASSWORD) => {
  const browser = newBrowser(running.url);
  return { browser, answer: await browser.call('POST', '/api/invitations/accept', { code, password }) };
};
const isIn = async (browser: Browser) =>
  ((await (await browser.call('GET', '/api/session')).json()) as { signed_in: boolean }).signed_in;
const logins = async (browser: Browser, query = '') =>
  ((await (await browser.call('GET', `/api/people${query}`)).json()) as PeopleAnswer).people.map(
    ({ login }) => login,
  );

beforeAll(async () => {
  running = await startConsole({ clock, limits: { strangerBurst: 10_000, signInAddressBurst: 1_000 } });
  await addTenant(running, 'acme');
  await addTenant(running, 'globex');
  agent = await enrolAgent(running, 'acme', clock.now());
  all = await signedIn(running, 'ann', [on('*', 'admin')]);
  acme = await signedIn(running, 'alice', [on('acme', 'admin')]);
});
afterAll(async () => running[Symbol.asyncDispose]());

describe('an invitation', () => {
  it('is good once, for a day, and for whom it is', async () => {
    const { code, person } = await invited(all, [on('acme', 'viewer')]);
    expect([person.state, await codeOf((await accept(`${code}x`)).answer)]).toEqual([
      'invited',
      'code_refused',
    ]);
    expect(await codeOf((await accept(code, person.login)).answer)).toBe('password_weak');
    const { browser, answer } = await accept(code);
    expect(await answer.json()).toMatchObject({ person: { id: person.id }, grants: [on('acme', 'viewer')] });
    expect(await isIn(browser)).toBe(true);
    expect(await codeOf((await accept(code)).answer)).toBe('code_refused');
    const late = await invited(all, [on('acme', 'viewer')]);
    aheadMs += 24 * 60 * 60_000;
    expect(await codeOf((await accept(late.code)).answer)).toBe('code_refused');
    aheadMs -= 24 * 60 * 60_000;
  });

  it('is void when another one is made, as are the password and the sessions', async () => {
    const first = await invited(all, [on('acme', 'viewer')]);
    const { browser } = await accept(first.code);
    const again = await all.call('POST', `/api/people/${first.person.id}/invitation`);
    const { invitation } = (await again.json()) as InvitedPerson;
    expect([again.status, await isIn(browser)]).toEqual([201, false]);
    const signIn = await browser.call('POST', '/api/session', {
      login: first.person.login,
      password: PASSWORD,
    });
    expect(signIn.status).toBe(401);
    expect((await accept(invitation.url.split('#')[1] as string)).answer.status).toBe(200);
  });

  it('is void when its person is given more, stays when they are given less, and says so in the audit', async () => {
    const { code, person } = await invited(all, [on('acme', 'operator')]);
    const change = async (grants: Grant[]) => {
      const answer = await all.call('PATCH', `/api/people/${person.id}`, { grants });
      return ((await answer.json()) as { person: InvitedPerson['person'] }).person;
    };
    expect((await change([on('acme', 'viewer')])).invited_until).not.toBe(null);
    expect(await change([on('acme', 'viewer'), on('globex', 'viewer')])).toMatchObject({
      state: 'invited',
      invited_until: null,
    });
    expect(await codeOf((await accept(code)).answer)).toBe('code_refused');
    const audit = await all.call('GET', `/api/audit?action=person_changed&limit=2`);
    expect(await audit.json()).toMatchObject({
      entries: [
        { message: expect.stringMatching(/; the invitation that was out is void$/) as string },
        { message: expect.not.stringContaining('void') as string },
      ],
    });
    const again = await all.call('POST', `/api/people/${person.id}/invitation`);
    const { invitation } = (await again.json()) as InvitedPerson;
    const { answer } = await accept(invitation.url.split('#')[1] as string);
    expect(await answer.json()).toMatchObject({ grants: [on('acme', 'viewer'), on('globex', 'viewer')] });
  });

  it('is made, as keys are, only by who may still do so when it is written', async () => {
    const { admin } = running.console;
    const { person } = await invited(all, [on('acme', 'admin')]);
    // what a call that has just come in knows of its caller, who is removed meanwhile
    const actor: Actor = {
      kind: 'person',
      id: person.id,
      name: person.login,
      by: `person:${person.login}`,
      grants: person.grants,
      credential: null,
    };
    const grants = [on('acme', 'viewer')];
    const own = await invited(acme, grants);
    const { key } = await admin.apiKeys.make({ label: 'x', grants, expires_at: null }, PROGRAM);
    await admin.people.remove(PROGRAM, person.id);
    const late = [
      admin.people.invite(actor, { login: `p-${randomUUID()}`, locale: null, grants }),
      admin.people.change(actor, own.person.id, { grants }),
      admin.people.remove(actor, own.person.id),
      admin.apiKeys.make({ label: 'y', grants, expires_at: null }, actor),
      admin.apiKeys.revoke(key.key_id, actor),
    ];
    const codes = (await Promise.allSettled(late)).map((each) =>
      each.status === 'rejected' ? (each.reason as { code: string }).code : 'done',
    );
    expect(codes).toEqual(['role_too_small', 'not_found', 'not_found', 'role_too_small', 'not_found']);
    expect((await admin.apiKeys.get(key.key_id))?.revoked_at).toBe(null);
  });

  it('is not made for a login that somebody has, in whatever case', async () => {
    const answer = await invite(all, [on('acme', 'viewer')], 'ALICE');
    expect([answer.status, await codeOf(answer)]).toEqual([409, 'login_taken']);
  });
});

describe('an admin of one tenant', () => {
  it('gives roles there, and nowhere else', async () => {
    expect((await invite(acme, [on('acme', 'operator')])).status).toBe(201);
    for (const [grant, code] of [
      [on('*', 'viewer'), 'role_too_small'],
      [on('globex', 'viewer'), 'tenant_unknown'],
      [on('nobody', 'viewer'), 'tenant_unknown'],
    ] as const) {
      expect(await codeOf(await invite(acme, [on('acme', 'viewer'), grant].slice(-1)))).toBe(code);
      expect(await codeOf(await invite(acme, [on('acme', 'viewer'), grant]))).toBe(code);
      const key = await acme.call('POST', '/api/keys', { label: 'x', grants: [grant] });
      expect(await codeOf(key)).toBe(code);
    }
  });

  it('does not see, change or remove who has a role elsewhere, and makes nobody of theirs larger than they are', async () => {
    const outside = await invited(all, [on('acme', 'viewer'), on('globex', 'viewer')]);
    const path = `/api/people/${outside.person.id}`;
    expect(await logins(acme)).not.toContain(outside.person.login);
    expect(await logins(acme)).not.toContain('ann');
    expect((await acme.call('PATCH', path, { name: 'x' })).status).toBe(404);
    expect((await acme.call('DELETE', path)).status).toBe(404);
    expect((await acme.call('POST', `${path}/invitation`)).status).toBe(404);
    const own = await invited(acme, [on('acme', 'viewer')]);
    const larger = await acme.call('PATCH', `/api/people/${own.person.id}`, { grants: [on('*', 'admin')] });
    expect(await codeOf(larger)).toBe('role_too_small');
    expect(await logins(acme)).toContain(own.person.login);
    expect(await logins(all, '?tenant=globex')).toEqual(
      expect.arrayContaining(['ann', outside.person.login]),
    );
    expect(await logins(all, '?tenant=globex')).not.toContain(own.person.login);
  });
});

describe('what a person may do', () => {
  it('ends with their sessions when it changes, and when they are removed', async () => {
    const { code, person } = await invited(acme, [on('acme', 'viewer')]);
    const { browser } = await accept(code);
    const path = `/api/people/${person.id}`;
    await acme.call('PATCH', path, { name: 'Somebody' });
    expect(await isIn(browser)).toBe(true);
    await acme.call('PATCH', path, { grants: [on('acme', 'operator')] });
    expect(await isIn(browser)).toBe(false);
    await browser.call('POST', '/api/session', { login: person.login, password: PASSWORD });
    expect(await isIn(browser)).toBe(true);
    expect((await acme.call('DELETE', path)).status).toBe(200);
    expect(await isIn(browser)).toBe(false);
    expect((await browser.call('GET', '/api/agents')).status).toBe(401);
    const signIn = await browser.call('POST', '/api/session', { login: person.login, password: PASSWORD });
    expect(signIn.status).toBe(401);
  });

  it('always leaves somebody who decides over all, and can sign in', async () => {
    const found = (await (await all.call('GET', '/api/people')).json()) as PeopleAnswer;
    const ann = found.people.find(({ login }) => login === 'ann');
    const path = `/api/people/${ann?.id}`;
    // who has not chosen a password yet is nobody to rely on
    await invited(all, [on('*', 'admin')]);
    expect(await codeOf(await all.call('DELETE', path))).toBe('last_admin');
    const smaller = await all.call('PATCH', path, { grants: [on('*', 'operator')] });
    expect(await codeOf(smaller)).toBe('last_admin');
    // it would take the password
    expect(await codeOf(await all.call('POST', `${path}/invitation`))).toBe('last_admin');
    expect(await isIn(all)).toBe(true);
  });

  it('is in the audit with who did it', async () => {
    const entries = await running.console.admin.audit({ tenant: 'acme', limit: 500 });
    const told = new Set(entries.map(({ action, by }) => `${action} ${by}`));
    for (const line of [
      'person_invited person:alice',
      'person_changed person:alice',
      'person_removed person:alice',
    ]) {
      expect(told).toContain(line);
    }
  });
});

describe('a key of the API', () => {
  it('is void when it is revoked, and when its time is over', async () => {
    const make = async (expires_at: string | null) => {
      const answer = await acme.call('POST', '/api/keys', {
        label: 'ci',
        grants: [on('acme', 'viewer')],
        expires_at,
      });
      return (await answer.json()) as NewKeyAnswer;
    };
    const read = async (secret: string) =>
      (await fetch(`${running.url}/api/agents`, { headers: { 'x-api-key': secret } })).status;
    const lasting = await make(null);
    const short = await make(new Date(clock.now().getTime() + 60_000).toISOString());
    expect([await read(lasting.secret), await read(short.secret)]).toEqual([200, 200]);
    aheadMs += 61_000;
    expect([await read(lasting.secret), await read(short.secret)]).toEqual([200, 401]);
    const revoked = await acme.call('DELETE', `/api/keys/${lasting.key.id}`);
    expect([revoked.status, await read(lasting.secret)]).toEqual([200, 401]);
    const { keys } = (await (await acme.call('GET', '/api/keys')).json()) as { keys: ApiKey[] };
    expect(keys.filter(({ label }) => label === 'ci').map(({ state }) => state)).toEqual([
      'expired',
      'revoked',
    ]);
    expect(keys.every(({ grants }) => grants.every(({ tenant }) => tenant === 'acme'))).toBe(true);
    expect(JSON.stringify(keys)).not.toContain(lasting.secret);
    expect(
      await codeOf(
        await acme.call('POST', '/api/keys', {
          label: 'x',
          grants: [on('acme', 'viewer')],
          expires_at: '2020-01-01T00:00:00Z',
        }),
      ),
    ).toBe('body_invalid');
  });

  it('sees all of its tenants in a list, and none of another', async () => {
    await enrolAgent(running, 'globex', clock.now());
    const both = await running.console.admin.newApiKey('both', {
      grants: [on('acme', 'viewer'), on('globex', 'viewer')],
    });
    const one = await running.console.admin.newApiKey('one', { grants: [on('globex', 'viewer')] });
    const tenants = async (key: string) => {
      const answer = await fetch(`${running.url}/api/tenants`, { headers: { 'x-api-key': key } });
      return ((await answer.json()) as { tenants: { slug: string }[] }).tenants.map(({ slug }) => slug);
    };
    expect([await tenants(both), await tenants(one)]).toEqual([['acme', 'globex'], ['globex']]);
  });
});

describe('a log that somebody follows', () => {
  it('ends when they may not read it any more', async () => {
    const { code, person } = await invited(acme, [on('acme', 'viewer')]);
    const { browser } = await accept(code);
    const run_id = randomUUID();
    const { jws } = await command(agent, { action: 'run', run_id });
    expect((await acme.call('POST', `/api/agents/${agent.issuer}/commands`, { jws })).status).toBe(202);
    const path = `/api/agents/${agent.issuer}/runs/${run_id}/log?follow=true`;
    const log = await browser.call('GET', path);
    expect(log.status).toBe(200);
    await acme.call('DELETE', `/api/people/${person.id}`);
    // the run waits for its agent: nothing else would end it
    expect(await log.text()).toBe('');
    expect((await browser.call('GET', path)).status).toBe(401);
  });
});
