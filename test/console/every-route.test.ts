import { createHash, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PROGRAM } from '../../console/people/actor.ts';
import type { Role } from '../../schemas/console/people.ts';
import type { FlowStatus } from '../../schemas/status.ts';
import { newKey } from '../../trust/ceremony/new-key.ts';
import { signRequestToken } from '../../trust/request-token.ts';
import {
  addTenant,
  call,
  type EnrolledAgent,
  enrolAgent,
  eventChain,
  publish,
  type RunningConsole,
  runReport,
  startConsole,
  statusOf,
} from './running-console.ts';
import { type Browser, pageHeaders, signedIn } from './signed-in.ts';

/** In everything that is of the tenant globex, and in no answer to anybody of acme. */
const SECRET = 'globex-secret';

type Whom = 'anybody' | 'tenant' | 'agent' | 'session' | Role;

/**
 * Whom an address answers. `anybody`: nothing of it is a tenant's own, or it is public by its name. `tenant`: credentials of
 * the tenant it names. `agent`: the device key of an agent, about itself. `session`: a person who has signed in, about themselves.
 * `viewer`, `operator`, `admin`: a key or a session with that role in the tenant, or a larger one.
 */
const ROUTES: Readonly<Record<string, Whom>> = {
  'GET /': 'anybody',
  'GET /*': 'anybody',
  'GET /sign-in': 'anybody',
  'GET /setup': 'anybody',
  'GET /invite': 'anybody',
  'GET /agents': 'anybody',
  'GET /agents/:id': 'anybody',
  'GET /agents/:id/runs/:run_id': 'anybody',
  'GET /flows/:tenant/:flow': 'anybody',
  'GET /releases': 'anybody',
  'GET /releases/:tenant/:revision': 'anybody',
  'GET /runs': 'anybody',
  'GET /events': 'anybody',
  'GET /audit': 'anybody',
  'GET /tokens': 'anybody',
  'GET /settings': 'anybody',
  'GET /assets/:file': 'anybody',
  'GET /healthz': 'anybody',
  'GET /api/openapi.json': 'anybody',
  'GET /api/docs': 'anybody',
  'GET /api/docs/:file': 'anybody',
  'GET /api/branch-exists': 'anybody',
  'POST /edge/enroll': 'anybody',
  'GET /artifacts/:slug/*': 'anybody',
  'POST /hooks/:slug': 'anybody',
  'OPTIONS /edge/uploads': 'anybody',
  'GET /edge/tunnel': 'anybody',
  'GET /raw/tenant/:slug/*': 'tenant',
  'GET /git/:repository/info/refs': 'tenant',
  'POST /git/:repository/git-upload-pack': 'tenant',
  'POST /git/:repository/git-receive-pack': 'tenant',
  'PUT /artifacts/:slug/*': 'tenant',
  'POST /edge/notify': 'agent',
  'POST /edge/status': 'agent',
  'POST /edge/events': 'agent',
  'POST /edge/rotate-key': 'agent',
  'POST /edge/unenroll': 'agent',
  'POST /edge/uploads': 'agent',
  'HEAD /edge/uploads/:id': 'agent',
  'PATCH /edge/uploads/:id': 'agent',
  'GET /api/session': 'anybody',
  'POST /api/session': 'anybody',
  'DELETE /api/session': 'anybody',
  'POST /api/setup': 'anybody',
  'POST /api/invitations/accept': 'anybody',
  'PUT /api/session/password': 'session',
  'GET /api/people': 'admin',
  'POST /api/people': 'admin',
  'PATCH /api/people/:id': 'admin',
  'DELETE /api/people/:id': 'admin',
  'POST /api/people/:id/invitation': 'admin',
  'GET /api/keys': 'admin',
  'POST /api/keys': 'admin',
  'DELETE /api/keys/:id': 'admin',
  'GET /api/tenants': 'viewer',
  'GET /api/agents': 'viewer',
  'GET /api/agents/:id': 'viewer',
  'GET /api/agents/:id/history': 'viewer',
  'GET /api/flows': 'viewer',
  'GET /api/flows/:tenant/:flow': 'viewer',
  'GET /api/live': 'viewer',
  'GET /api/overview': 'viewer',
  'GET /api/releases': 'viewer',
  'GET /api/releases/:tenant/:revision': 'viewer',
  'GET /api/agents/:id/commands': 'viewer',
  'POST /api/agents/:id/commands': 'operator',
  'POST /api/actions': 'operator',
  'GET /flows': 'viewer',
  'POST /flows/:id/run': 'operator',
  'PUT /api/tenants/:slug/trigger-key': 'admin',
  'DELETE /api/tenants/:slug/trigger-key': 'admin',
  'POST /api/agents/:id/revoke': 'admin',
  'POST /api/agents/:id/rotate-key': 'admin',
  'GET /api/agents/:id/runs': 'viewer',
  'GET /api/agents/:id/runs/:run_id': 'viewer',
  'GET /api/agents/:id/runs/:run_id/inputs': 'operator',
  'GET /api/agents/:id/runs/:run_id/log': 'viewer',
  'GET /api/agents/:id/runs/:run_id/log/search': 'viewer',
  'GET /api/agents/:id/runs/:run_id/logs': 'viewer',
  'GET /api/agents/:id/uploads': 'viewer',
  'GET /api/audit': 'operator',
  'GET /api/events': 'viewer',
  'GET /api/runs': 'viewer',
  'GET /api/runs/:run_id': 'viewer',
  'GET /api/tokens': 'admin',
  'POST /api/tokens': 'admin',
  'DELETE /api/tokens/:id': 'admin',
  'GET /api/uploads/:id': 'viewer',
  'DELETE /api/uploads/:id': 'operator',
};

/** What is answered when the credentials are of somebody else, or none. */
const REFUSALS: Readonly<Record<Whom, readonly number[] | null>> = {
  anybody: null,
  tenant: [401, 403],
  agent: [401],
  session: [401],
  viewer: [401],
  operator: [401],
  admin: [401],
};
/** That somebody may is not that it makes sense: what is gone is gone, and no agent is there to take a command. */
const ALLOWED: readonly number[] = [200, 201, 202, 204, 404, 409, 422, 503];
const ROLES: readonly Role[] = ['viewer', 'operator', 'admin'];
/** Of what is asked for there is nothing: an upload that is not whole, a log that nobody sent, a release of no status. */
const EMPTY: ReadonlySet<string> = new Set([
  'GET /api/uploads/:id',
  'GET /api/agents/:id/runs/:run_id/inputs',
  'GET /api/agents/:id/runs/:run_id/log',
  'GET /api/agents/:id/runs/:run_id/log/search',
  'GET /api/releases/:tenant/:revision',
]);

const FLOW: FlowStatus = {
  id: 'invoice-bot',
  runtime: 'python',
  desired_version: 'v1',
  active_version: 'v1',
  previous_version: null,
  health: 'healthy',
  phase: 'active',
  since: '2026-11-20T15:00:00Z',
  held: null,
  quarantined: null,
  service: null,
};

let running: RunningConsole;
let acme: Awaited<ReturnType<typeof addTenant>>;
let intruder: EnrolledAgent;
let victim: EnrolledAgent;
let uploadId: string;
let tokenId: string;
let runId: string;
let keyId: string;
let personId: string;
/** Keys of the API: of an admin of acme, and of each role in globex. */
let keys: Record<Role | 'other', string>;
/** An admin of globex. */
let person: Browser;

beforeAll(async () => {
  running = await startConsole({ limits: { strangerBurst: 10_000, agentBurst: 10_000 } });
  acme = await addTenant(running, 'acme');
  const globex = await addTenant(running, 'globex');
  intruder = await enrolAgent(running, 'acme');
  victim = await enrolAgent(running, 'globex');
  await publish(running, globex, { 'manifest.json': JSON.stringify({ note: SECRET }) });
  const of = async (path: string, body: unknown, headers = {}) =>
    call(victim, 'POST', running.url + path, body, headers);
  await of('/edge/status', statusOf(victim, { labels: { note: SECRET }, flows: [FLOW] }));
  const report = runReport({ stdout: SECRET, revision: null as never });
  runId = report.run_id;
  const key = { 'idempotency-key': `${runId}.1` };
  await of('/edge/notify', { ...report, revision: `tenant/globex@sha1:${'b'.repeat(40)}` }, key);
  const log_id = randomUUID();
  const hash = (line: string) => createHash('sha256').update(line).digest('hex');
  await of('/edge/events', { log_id, events: eventChain(victim, log_id, 2, hash) });
  const encoded = Object.entries({ name: SECRET, sha256: 'a'.repeat(64), kind: 'document' })
    .map(([name, value]) => `${name} ${btoa(value)}`)
    .join(',');
  const upload = await of('/edge/uploads', undefined, {
    'tus-resumable': '1.0.0',
    'upload-length': '10',
    'upload-metadata': encoded,
  });
  if (upload.status !== 201) throw new Error(`expected 201, found ${upload.status}`);
  uploadId = String(upload.headers.get('location')).split('/').at(-1) as string;
  tokenId = (await running.console.admin.tokens('globex'))[0]?.token_id as string;
  const { admin } = running.console;
  const keyOf = async (tenant: string, role: Role, label = `${role} of ${tenant}`) =>
    admin.newApiKey(label, { grants: [{ tenant, role }] });
  keys = {
    other: await keyOf('acme', 'admin'),
    viewer: await keyOf('globex', 'viewer'),
    operator: await keyOf('globex', 'operator'),
    admin: await keyOf('globex', 'admin'),
  };
  await keyOf('globex', 'viewer', SECRET);
  keyId = (await admin.apiKeys.list()).find(({ label }) => label === SECRET)?.key_id as string;
  person = await signedIn(running, 'gina', [{ tenant: 'globex', role: 'admin' }]);
  const draft = { login: SECRET, locale: null, grants: [{ tenant: 'globex', role: 'viewer' as const }] };
  personId = (await admin.people.invite(PROGRAM, draft)).person.person_id;
});
afterAll(async () => running[Symbol.asyncDispose]());

/** What an address cannot do without, by its last word. */
const QUERIES: Readonly<Record<string, string>> = { refs: '?service=git-upload-pack', search: '?q=hello' };

/** The address with what is globex's in the place of every parameter. */
function addressOf(route: string): { method: string; url: string } {
  const [method = '', pattern = ''] = route.split(' ');
  const ids: Record<string, string> = {
    tokens: tokenId,
    uploads: uploadId,
    agents: victim.issuer,
    people: personId,
    keys: keyId,
  };
  const path = pattern
    .replace(/(agents|uploads|tokens|people|keys)\/:id/, (_whole, kind: string) => `${kind}/${ids[kind]}`)
    .replace(':run_id', runId)
    .replace(':slug', 'globex')
    .replace(':tenant', 'globex')
    .replace(/flows\/:id/, `flows/${FLOW.id}`)
    .replace(':flow', FLOW.id)
    .replace(':repository', 'globex.git')
    .replace('*', 'manifest.json');
  const query = QUERIES[pattern.split('/').at(-1) ?? ''] ?? '';
  return { method, url: running.url + path + query };
}

/** A body that each of them would take of whom it is about. */
function bodyOf(route: string): string {
  if (route.endsWith('/edge/status')) return JSON.stringify(statusOf(victim));
  if (route.endsWith('/edge/unenroll')) return '{}';
  if (route === 'POST /flows/:id/run') return '{}';
  if (route === 'POST /api/tokens') return JSON.stringify({ tenant: 'globex' });
  const grants = [{ tenant: 'globex', role: 'viewer' }];
  if (route === 'POST /api/actions') {
    return JSON.stringify({ action: 'resume', reason: 'a test', targets: { agents: [victim.issuer] } });
  }
  if (route.endsWith('/trigger-key')) return JSON.stringify({ key: newKey() });
  if (route === 'POST /api/keys') return JSON.stringify({ label: 'another', grants });
  if (route === 'POST /api/people') return JSON.stringify({ login: `p-${randomUUID()}`, grants });
  if (route === 'PATCH /api/people/:id') return JSON.stringify({ locale: 'fr' });
  return '{"why":"a stranger asks"}';
}

async function ask(route: string, headers: Record<string, string>, query = ''): Promise<Response> {
  const { method, url } = addressOf(route);
  const bare = method === 'GET' || method === 'HEAD' || method === 'OPTIONS';
  const typed = bare || method === 'DELETE' ? {} : { 'content-type': contentType(route) };
  return fetch(url + (url.includes('?') ? query.replace('?', '&') : query), {
    method,
    headers: { 'tus-resumable': '1.0.0', 'upload-offset': '0', ...typed, ...headers },
    ...(bare || method === 'DELETE' ? {} : { body: bodyOf(route) }),
  });
}

function contentType(route: string): string {
  if (route.startsWith('PATCH /edge')) return 'application/offset+octet-stream';
  const service = /git-(upload|receive)-pack$/.exec(route)?.[0];
  return service === undefined ? 'application/json' : `application/x-${service}-request`;
}

const signedBy = async (route: string, jwk = intruder.jwk, issuer = intruder.issuer) => {
  const { method, url } = addressOf(route);
  return { authorization: `Bearer ${await signRequestToken({ jwk, issuer, method, url, now: new Date() })}` };
};
/** Everything the console has of globex, to see that nothing of it changed. */
const held = async () => {
  const { admin } = running.console;
  return JSON.stringify([
    (await admin.agents('globex')).map(({ last_seen_at: _seen, ...agent }) => agent),
    await admin.tokens('globex'),
    await admin.status(victim.issuer),
    await admin.runs({ tenant: 'globex' }),
    await admin.events({ tenant: 'globex' }),
    await admin.audit({ tenant: 'globex' }),
    await admin.people.list(PROGRAM),
    (await admin.apiKeys.list()).map(({ last_used_at: _used, ...key }) => key),
  ]);
};
const routesFor = (who: string) => Object.keys(ROUTES).filter((route) => ROUTES[route] === who);

describe('every address of the console', () => {
  it('is in this table, and this table has no other', () => {
    // HEAD is added to every GET by the library, and answers as the GET does without its body
    const own = running.console.routes.filter((route) => !(route.startsWith('HEAD ') && !(route in ROUTES)));
    expect([...new Set(own)].toSorted()).toEqual(Object.keys(ROUTES).toSorted());
    expect(own.length).toBeGreaterThan(35);
  });

  it.each(Object.keys(ROUTES))('tells nobody of another tenant what is not theirs: %s', async (route) => {
    const before = await held();
    const git = { authorization: `Basic ${btoa(`token:${intruder.answer.git.token}`)}` };
    const publisher = { authorization: `Basic ${btoa(`token:${acme.publisherToken}`)}` };
    const asOther = await signedBy(route, intruder.jwk, victim.issuer);
    const asNobody = await signedBy(route, newKey(), randomUUID());
    const own = await signedBy(route);
    const keyed = { 'x-api-key': acme.publisherToken };
    const answers: [string, Response][] = [];
    for (const [name, headers] of Object.entries({ git, publisher, asOther, asNobody, keyed, nothing: {} })) {
      answers.push([name, await ask(route, headers)]);
    }
    // what an agent may do for itself is the next test's
    if (ROUTES[route] !== 'agent') answers.push(['own', await ask(route, own)]);
    const refusals = REFUSALS[ROUTES[route] ?? 'operator'];
    const letIn: string[] = [];
    for (const [name, answer] of answers) {
      if ((await answer.text()).includes(SECRET)) letIn.push(`${name} reads the secret`);
      if (refusals !== null && !refusals.includes(answer.status)) letIn.push(`${name}: ${answer.status}`);
    }
    expect(letIn).toEqual([]);
    expect(await held()).toBe(before);
  });
});

describe('an agent, about another', () => {
  it.each(routesFor('agent').filter((route) => route !== 'POST /edge/unenroll'))(
    'changes nothing of it, and reads nothing of it: %s',
    async (route) => {
      const before = await held();
      const answer = await ask(route, await signedBy(route));
      expect([400, 404, 412, 422]).toContain(answer.status);
      expect(await answer.text()).not.toContain(SECRET);
      expect(await held()).toBe(before);
    },
  );

  it('takes leave of the console for itself alone', async () => {
    const before = await held();
    const leaving = await enrolAgent(running, 'acme');
    const route = 'POST /edge/unenroll';
    expect((await ask(route, await signedBy(route, leaving.jwk, leaving.issuer))).status).toBe(200);
    expect(await held()).toBe(before);
    expect(
      (await running.console.admin.agents('acme')).filter(({ revoked_at }) => revoked_at !== null),
    ).toMatchObject([{ agent_id: leaving.issuer }]);
  });
});

const byRole = Object.keys(ROUTES).filter((route) => ROLES.includes(ROUTES[route] as Role));
const isRead = (route: string) => route.startsWith('GET ');
/** What it says; of a stream, which does not end, nothing. */
async function textOf(answer: Response): Promise<string> {
  if (answer.headers.get('content-type')?.startsWith('text/event-stream') !== true) return answer.text();
  await answer.body?.cancel();
  return '';
}

describe('an operator who works for one tenant', () => {
  // one that makes something says in its body what it is for
  const named = byRole.filter((route) => isRead(route) || route.includes(':'));
  it.each(named)('finds nothing of another one there: %s', async (route) => {
    const before = await held();
    const answer = await ask(route, { 'x-api-key': running.apiKey }, '?tenant=acme');
    const text = await textOf(answer);
    expect(text).not.toContain(SECRET);
    // what it names is not there, and a list of it is empty
    expect([answer.status, text.includes('globex')]).toEqual([route.includes(':') ? 404 : 200, false]);
    expect(await held()).toBe(before);
  });
});

describe('an address that asks for a role', () => {
  it.each(byRole)('is for those who have it in the tenant, and for nobody else: %s', async (route) => {
    const needed = ROUTES[route] as Role;
    const found: Record<string, string> = {};
    const as = async (name: string, headers: Record<string, string>) => {
      const answer = await ask(route, headers);
      const text = await textOf(answer);
      const code = /"error":\{"code":"([a-z_]+)"/.exec(text)?.[1];
      found[name] = code === undefined ? String(answer.status) : `${answer.status} ${code}`;
      return { status: answer.status, text };
    };
    const page = pageHeaders(person, running.url);
    const { 'x-csrf-token': _csrf, ...withoutToken } = page;
    const before = await held();

    await as('nobody', {});
    const other = await as('admin of another tenant', { 'x-api-key': keys.other });
    const tooSmall = ROLES.slice(0, ROLES.indexOf(needed));
    for (const role of tooSmall) await as(role, { 'x-api-key': keys[role] });
    if (!isRead(route)) {
      await as('session without its token', withoutToken);
      await as('session on a page elsewhere', { ...page, origin: 'https://evil.example' });
      await as('session on a neighbour', { ...page, 'sec-fetch-site': 'same-site' });
      await as('session of which no browser says where', {
        cookie: page['cookie'] ?? '',
        'x-csrf-token': person.csrf,
      });
    }
    expect(found).toEqual({
      nobody: '401 credentials_refused',
      'admin of another tenant': expect.stringMatching(
        route.includes(':') ? /^404 / : isRead(route) ? /^200$/ : /^(404|422) /,
      ) as string,
      ...Object.fromEntries(tooSmall.map((role) => [role, '403 role_too_small'])),
      ...(isRead(route)
        ? {}
        : {
            'session without its token': '403 csrf_refused',
            'session on a page elsewhere': '403 origin_refused',
            'session on a neighbour': '403 origin_refused',
            'session of which no browser says where': '403 origin_refused',
          }),
    });
    expect(other.text).not.toContain(SECRET);
    // what is written may be named in the answer, as it was sent
    expect(isRead(route) && other.text.includes('globex')).toBe(false);
    expect(await held()).toBe(before);

    for (const role of ROLES.slice(ROLES.indexOf(needed))) {
      const { status } = await as(role, { 'x-api-key': keys[role] });
      const wanted = EMPTY.has(route) ? [404] : [200];
      expect([role, (isRead(route) ? wanted : ALLOWED).includes(status), status]).toEqual([
        role,
        true,
        status,
      ]);
    }
    expect(ALLOWED).toContain((await as('session', page)).status);
  });

  it('is declared for the same role in the document of the API', () => {
    const { operations } = running.console;
    const declared = byRole.filter((route) => operations.has(route));
    expect(declared.length).toBeGreaterThan(8);
    for (const route of declared)
      expect([route, operations.get(route)?.role]).toEqual([route, ROUTES[route]]);
  });
});
