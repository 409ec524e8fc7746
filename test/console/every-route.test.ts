import { createHash, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
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

/** In everything that is of the tenant globex, and in no answer to anybody of acme. */
const SECRET = 'globex-secret';

/**
 * Whom an address answers. `anybody`: nothing of it is a tenant's own, or it is public by its name. `tenant`: credentials of
 * the tenant it names. `agent`: the device key of an agent, about itself. `operator`: an `X-Api-Key`.
 */
const ROUTES: Readonly<Record<string, 'anybody' | 'tenant' | 'agent' | 'operator'>> = {
  'GET /': 'anybody',
  'GET /sign-in': 'anybody',
  'GET /setup': 'anybody',
  'GET /invite': 'anybody',
  'GET /agents': 'anybody',
  'GET /agents/:id': 'anybody',
  'GET /agents/:id/runs/:run_id': 'anybody',
  'GET /flows': 'anybody',
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
  'GET /api/tenants': 'operator',
  'GET /api/agents': 'operator',
  'GET /api/agents/:id': 'operator',
  'GET /api/agents/:id/commands': 'operator',
  'POST /api/agents/:id/commands': 'operator',
  'POST /api/agents/:id/revoke': 'operator',
  'POST /api/agents/:id/rotate-key': 'operator',
  'GET /api/agents/:id/runs': 'operator',
  'GET /api/agents/:id/runs/:run_id': 'operator',
  'GET /api/agents/:id/runs/:run_id/log': 'operator',
  'GET /api/agents/:id/runs/:run_id/logs': 'operator',
  'GET /api/agents/:id/uploads': 'operator',
  'GET /api/audit': 'operator',
  'GET /api/events': 'operator',
  'GET /api/runs': 'operator',
  'GET /api/runs/:run_id': 'operator',
  'GET /api/tokens': 'operator',
  'DELETE /api/tokens/:id': 'operator',
  'GET /api/uploads/:id': 'operator',
  'DELETE /api/uploads/:id': 'operator',
};

const REFUSALS = { anybody: null, tenant: [401, 403], agent: [401], operator: [401] };

let running: RunningConsole;
let acme: Awaited<ReturnType<typeof addTenant>>;
let intruder: EnrolledAgent;
let victim: EnrolledAgent;
let uploadId: string;
let tokenId: string;
let runId: string;

beforeAll(async () => {
  running = await startConsole({ limits: { strangerBurst: 10_000, agentBurst: 10_000 } });
  acme = await addTenant(running, 'acme');
  const globex = await addTenant(running, 'globex');
  intruder = await enrolAgent(running, 'acme');
  victim = await enrolAgent(running, 'globex');
  await publish(running, globex, { 'manifest.json': JSON.stringify({ note: SECRET }) });
  const of = async (path: string, body: unknown, headers = {}) =>
    call(victim, 'POST', running.url + path, body, headers);
  await of('/edge/status', statusOf(victim, { labels: { note: SECRET } }));
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
  tokenId = running.console.admin.tokens('globex')[0]?.token_id as string;
});
afterAll(async () => running[Symbol.asyncDispose]());

/** The address with what is globex's in the place of every parameter. */
function addressOf(route: string): { method: string; url: string } {
  const [method = '', pattern = ''] = route.split(' ');
  const ids: Record<string, string> = { tokens: tokenId, uploads: uploadId, agents: victim.issuer };
  const path = pattern
    .replace(/(agents|uploads|tokens)\/:id/, (_whole, kind: string) => `${kind}/${ids[kind]}`)
    .replace(':run_id', runId)
    .replace(':slug', 'globex')
    .replace(':repository', 'globex.git')
    .replace('*', 'manifest.json');
  const query = pattern.endsWith('info/refs') ? '?service=git-upload-pack' : '';
  return { method, url: running.url + path + query };
}

/** A body that each of them would take of whom it is about. */
function bodyOf(route: string): string {
  if (route.endsWith('/edge/status')) return JSON.stringify(statusOf(victim));
  if (route.endsWith('/edge/unenroll')) return '{}';
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
  if (route.startsWith('PATCH')) return 'application/offset+octet-stream';
  const service = /git-(upload|receive)-pack$/.exec(route)?.[0];
  return service === undefined ? 'application/json' : `application/x-${service}-request`;
}

const signedBy = async (route: string, jwk = intruder.jwk, issuer = intruder.issuer) => {
  const { method, url } = addressOf(route);
  return { authorization: `Bearer ${await signRequestToken({ jwk, issuer, method, url, now: new Date() })}` };
};
/** Everything the console has of globex, to see that nothing of it changed. */
const held = async () =>
  JSON.stringify(
    await Promise.all([
      running.console.admin.agents('globex').map(({ last_seen_at: _seen, ...agent }) => agent),
      running.console.admin.tokens('globex'),
      running.console.admin.status(victim.issuer),
      running.console.admin.runs({ tenant: 'globex' }),
      running.console.admin.events({ tenant: 'globex' }),
      running.console.admin.audit({ tenant: 'globex' }),
    ]),
  );
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
      running.console.admin.agents('acme').filter(({ revoked_at }) => revoked_at !== null),
    ).toMatchObject([{ agent_id: leaving.issuer }]);
  });
});

describe('an operator who works for one tenant', () => {
  it.each(routesFor('operator'))('finds nothing of another one there: %s', async (route) => {
    const before = await held();
    const answer = await ask(route, { 'x-api-key': running.apiKey }, '?tenant=acme');
    const text = await answer.text();
    expect(text).not.toContain(SECRET);
    // what it names is not there, and a list of it is empty
    expect([answer.status, text.includes('globex')]).toEqual([route.includes(':') ? 404 : 200, false]);
    expect(await held()).toBe(before);
  });
});
