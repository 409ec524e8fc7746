import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PROGRAM } from '../../console/people/actor.ts';
import type { SignedIn } from '../../schemas/console/session.ts';
import { addTenant, type RunningConsole, startConsole } from './running-console.ts';
import { type Browser, newBrowser, PASSWORD, signedIn } from './signed-in.ts';

let aheadMs = 0;
const clock = { now: () => new Date(Date.now() + aheadMs), monotonicMs: () => performance.now() + aheadMs };
const HOUR_MS = 60 * 60_000;

let running: RunningConsole;
/** The first person. */
let ann: Browser;

const codeOf = async (answer: Response) =>
  ((await answer.json()) as { error?: { code: string } }).error?.code ?? null;
const signIn = async (browser: Browser, login: string, password = PASSWORD) =>
  browser.call('POST', '/api/session', { login, password });
const isIn = async (browser: Browser) =>
  ((await (await browser.call('GET', '/api/session')).json()) as { signed_in: boolean }).signed_in;
const actions = async () =>
  (await running.console.admin.audit({ limit: 500 })).map(({ action, by }) => `${action} ${by}`);

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

beforeAll(async () => {
  running = await startConsole({ clock, limits: { signInAddressBurst: 1_000, signInLoginBurst: 6 } });
  await addTenant(running, 'acme');
});
afterAll(async () => running[Symbol.asyncDispose]());

describe('the first person', () => {
  it('is made with the code that the console says at its start, once, as admin of everything', async () => {
    const stranger = newBrowser(running.url);
    const setup = async (code: string, password = PASSWORD) =>
      stranger.call('POST', '/api/setup', { code, login: ' Ann@Example.com ', name: 'Ann', password });
    expect(await (await stranger.call('GET', '/api/session')).json()).toEqual({
      signed_in: false,
      setup_needed: true,
    });
    // who is invited to read only shuts no door, not even by the login
    const grants = [{ tenant: 'acme', role: 'viewer' as const }];
    const invited = { login: 'vera', locale: null, grants };
    await running.console.admin.people.invite(PROGRAM, invited);
    expect(await (await stranger.call('GET', '/api/session')).json()).toMatchObject({ setup_needed: true });
    const old = (await running.console.setupUrl())?.split('#')[1] as string;
    const code = (await running.console.setupUrl())?.split('#')[1] as string;
    for (const wrong of [old, `${code}x`, '', 'ecf_']) {
      expect(await codeOf(await setup(wrong))).toBe('code_refused');
    }
    expect(await codeOf(await setup(code, 'ann@example.com'))).toBe('password_weak');
    expect((await setup(code, 'short')).status).toBe(422);
    const taken = await stranger.call('POST', '/api/setup', { code, login: 'vera', password: PASSWORD });
    expect(await codeOf(taken)).toBe('code_refused');
    const made = await setup(code);
    expect(made.status).toBe(201);
    expect(await made.json()).toMatchObject({
      person: { login: 'ann@example.com', name: 'Ann' },
      grants: [{ tenant: '*', role: 'admin' }],
    });
    expect(await isIn(stranger)).toBe(true);
    expect([await codeOf(await setup(code)), await running.console.setupUrl()]).toEqual([
      'code_refused',
      null,
    ]);
    ann = stranger;
    expect(await actions()).toContain('setup_done person:ann@example.com');
  });
});

describe('signing in', () => {
  it('answers a wrong login and a wrong password alike, and takes the login in any case', async () => {
    const browser = newBrowser(running.url);
    const answers = [
      await signIn(browser, 'ann@example.com', 'not the password'),
      await signIn(browser, 'nobody@example.com'),
      await signIn(browser, ''),
    ];
    const said = await Promise.all(
      answers.map(async (answer) => [answer.status, answer.headers.getSetCookie(), await answer.text()]),
    );
    expect(said[0]).toEqual([401, [], expect.stringContaining('sign_in_refused')]);
    expect(said[1]).toEqual(said[0]);
    expect(said[2]).toEqual(said[0]);
    expect((await signIn(browser, 'ANN@example.com')).status).toBe(200);
    expect(await actions()).toEqual(
      expect.arrayContaining(['sign_in_refused console', 'signed_in person:ann@example.com']),
    );
    // what people type into the wrong field is not written down
    expect(JSON.stringify(await running.console.admin.audit())).not.toContain('nobody@');
  });

  it('reckons a password for a login that nobody has, so that the time tells nothing', async () => {
    const time = async (login: string) => {
      const began = performance.now();
      await signIn(newBrowser(running.url), login, 'not the password');
      return performance.now() - began;
    };
    await signedIn(running, 'timed', [{ tenant: 'acme', role: 'viewer' }]);
    let [known, unknown] = [Infinity, Infinity];
    // the best of some, so that a machine that was busy for a moment tells nothing
    for (let times = 0; times < 5 && (times === 0 || unknown <= known / 3); times += 1) {
      known = Math.min(known, await time('timed'));
      unknown = Math.min(unknown, await time(`nobody-${times}`));
    }
    expect(unknown).toBeGreaterThan(known / 3);
  });

  it('begins a session of its own, whatever the browser came with', async () => {
    const browser = newBrowser(running.url);
    browser.cookies['edge_console'] = 'ecs_put-there-by-somebody-else-xxxxxxxxxxxxxxxxxxxx';
    await signIn(browser, 'ann@example.com');
    const first = { ...browser.cookies };
    expect(first['edge_console']).not.toContain('put-there');
    await signIn(browser, 'ann@example.com');
    expect(browser.cookies['edge_console']).not.toBe(first['edge_console']);
    const before = newBrowser(running.url);
    before.cookies = first;
    expect([await isIn(before), await isIn(browser)]).toEqual([false, true]);
  });

  it('sets cookies that no script reads and no other site sends', async () => {
    const answer = await signIn(newBrowser(running.url), 'ann@example.com');
    const [session = '', known = ''] = answer.headers.getSetCookie();
    for (const cookie of [session, known]) expect(cookie).toMatch(/; Path=\/; HttpOnly; SameSite=Strict$/);
    expect(session).toMatch(/^edge_console=ecs_[\w-]{43}; Max-Age=604800;/);
    expect(answer.headers.get('cache-control')).toBe('no-store');
  });

  it('takes the prefix that no neighbour under the same domain can set, once the console has https', async () => {
    const port = await freePort();
    await using safe = await startConsole({ publicUrl: 'https://console.example', port });
    const code = (await safe.console.setupUrl())?.split('#')[1];
    const page = { origin: 'https://console.example', 'sec-fetch-site': 'same-origin' };
    const draft = { code, login: 'ann', password: PASSWORD };
    const browser = newBrowser(`http://127.0.0.1:${port}`);
    const made = await browser.call('POST', '/api/setup', draft, page);
    const shape =
      /^__Host-edge_console(_known)?=[^;]+; Max-Age=\d+; Path=\/; HttpOnly; Secure; SameSite=Strict$/;
    expect(made.headers.getSetCookie()).toEqual([expect.stringMatching(shape), expect.stringMatching(shape)]);
    expect((await browser.call('GET', '/api/people', undefined, page)).status).toBe(200);
  });

  it('is not done by a page of somebody else', async () => {
    const browser = newBrowser(running.url);
    const body = { login: 'ann@example.com', password: PASSWORD };
    const foreign = { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' };
    const answer = await browser.call('POST', '/api/session', body, foreign);
    expect([answer.status, await codeOf(answer), browser.cookies]).toEqual([403, 'origin_refused', {}]);
  });

  it('keeps no password and no session in clear on disk', async () => {
    const token = ann.cookies['edge_console'] as string;
    for (const name of ['console.db', 'console.db-wal']) {
      const bytes = readFileSync(join(running.directory, 'data', name));
      expect([bytes.includes(PASSWORD), bytes.includes(token)]).toEqual([false, false]);
    }
  });
});

describe('who guesses', () => {
  it('is slowed at one login, and keeps out nobody who has signed in with their browser before', async () => {
    const bob = await signedIn(running, 'bob', [{ tenant: 'acme', role: 'viewer' }]);
    const stranger = newBrowser(running.url);
    const guesses = [];
    for (let times = 0; times < 8; times += 1)
      guesses.push((await signIn(stranger, 'bob', `guess ${times} at it`)).status);
    expect(guesses).toEqual([401, 401, 401, 401, 401, 401, 429, 429]);
    const late = await signIn(stranger, 'bob');
    expect([late.status, Number(late.headers.get('retry-after'))]).toEqual([429, expect.any(Number)]);
    // another's browser is a stranger's here
    const other = newBrowser(running.url);
    other.cookies = { edge_console_known: ann.cookies['edge_console_known'] as string };
    expect((await signIn(other, 'bob')).status).toBe(429);
    expect((await signIn(bob, 'bob')).status).toBe(200);
    expect((await signIn(newBrowser(running.url), 'ann@example.com')).status).toBe(200);
    aheadMs += 10 * 60_000;
    expect((await signIn(stranger, 'bob')).status).toBe(200);
  });

  it('fills the audit with one row in ten minutes', async () => {
    await signedIn(running, 'carl', [{ tenant: 'acme', role: 'viewer' }]);
    for (let times = 0; times < 5; times += 1)
      await signIn(newBrowser(running.url), 'carl', `guess ${times} at it`);
    const rows = (await running.console.admin.audit({ tenant: 'acme' })).filter(
      ({ action, message }) => action === 'sign_in_refused' && message.includes('"carl"'),
    );
    expect(rows).toHaveLength(1);
  });
});

describe('a session', () => {
  it('ends when it is not used for twelve hours, and after seven days however much it is', async () => {
    const [idle, busy] = [newBrowser(running.url), newBrowser(running.url)];
    await signIn(idle, 'ann@example.com');
    await signIn(busy, 'ann@example.com');
    aheadMs += 11 * HOUR_MS;
    expect(await isIn(busy)).toBe(true);
    aheadMs += 2 * HOUR_MS;
    expect([await isIn(idle), await isIn(busy)]).toEqual([false, true]);
    for (let days = 0; days < 13; days += 1) {
      aheadMs += 11 * HOUR_MS;
      await isIn(busy);
    }
    aheadMs += 13 * HOUR_MS;
    expect(await isIn(busy)).toBe(false);
  });

  it('ends by signing out, which takes a page of ours', async () => {
    const browser = newBrowser(running.url);
    await signIn(browser, 'ann@example.com');
    const kept = { ...browser.cookies };
    const refused = await browser.call('DELETE', '/api/session', undefined, { 'x-csrf-token': 'x' });
    expect([refused.status, await isIn(browser)]).toEqual([403, true]);
    expect((await browser.call('DELETE', '/api/session')).status).toBe(200);
    browser.cookies = kept;
    expect(await isIn(browser)).toBe(false);
    // who is out already is told so, and no more
    expect((await newBrowser(running.url).call('DELETE', '/api/session')).status).toBe(200);
  });

  it('has a token of its own against other sites, which another session does not take', async () => {
    const [one, two] = [newBrowser(running.url), newBrowser(running.url)];
    await signIn(one, 'ann@example.com');
    await signIn(two, 'ann@example.com');
    expect(one.csrf).not.toBe(two.csrf);
    const draft = { label: 'a', grants: [{ tenant: 'acme', role: 'viewer' }] };
    const mixed = await one.call('POST', '/api/keys', draft, { 'x-csrf-token': two.csrf });
    expect(await codeOf(mixed)).toBe('csrf_refused');
    expect((await one.call('POST', '/api/keys', draft)).status).toBe(201);
  });

  it('ends with the others of the person when the password changes, and goes on as a new one here', async () => {
    const [here, there] = [newBrowser(running.url), newBrowser(running.url)];
    await signIn(here, 'ann@example.com');
    await signIn(there, 'ann@example.com');
    const before = here.cookies['edge_console'];
    const change = async (current: string, password: string) =>
      here.call('PUT', '/api/session/password', { current, password });
    expect(await codeOf(await change('not the password', 'quite another one'))).toBe('password_refused');
    expect(await codeOf(await change(PASSWORD, 'another good one'))).toBe(null);
    expect(((await (await here.call('GET', '/api/session')).json()) as SignedIn).signed_in).toBe(true);
    expect(here.cookies['edge_console']).not.toBe(before);
    expect(await isIn(there)).toBe(false);
    expect((await signIn(there, 'ann@example.com')).status).toBe(401);
    expect((await signIn(there, 'ann@example.com', 'another good one')).status).toBe(200);
    const keyed = { 'x-api-key': running.apiKey };
    const asKey = await fetch(`${running.url}/api/session/password`, {
      method: 'PUT',
      headers: { ...keyed, 'content-type': 'application/json' },
      body: JSON.stringify({ current: 'x', password: PASSWORD }),
    });
    expect(asKey.status).toBe(401);
  });
});
