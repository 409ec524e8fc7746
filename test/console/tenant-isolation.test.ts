import { createHash, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  addTenant,
  call,
  type EnrolledAgent,
  enrolAgent,
  eventChain,
  git,
  publish,
  type RunningConsole,
  startConsole,
  statusOf,
  withBasic,
} from './running-console.ts';

let running: RunningConsole;
let acme: Awaited<ReturnType<typeof addTenant>>;
let globex: Awaited<ReturnType<typeof addTenant>>;
let intruder: EnrolledAgent;
let victim: EnrolledAgent;

beforeAll(async () => {
  running = await startConsole();
  acme = await addTenant(running, 'acme');
  globex = await addTenant(running, 'globex');
  intruder = await enrolAgent(running, 'acme');
  victim = await enrolAgent(running, 'globex');
  await publish(running, globex, { 'manifest.json': '{"secret":"globex"}' });
});
afterAll(async () => running[Symbol.asyncDispose]());

const holders: [string, () => string][] = [
  ['the git token of an agent', () => intruder.answer.git.token ?? ''],
  ['the publisher token', () => acme.publisherToken],
];

describe.each(holders)('%s of one tenant', (_name, token) => {
  const headers = () => ({ authorization: `Basic ${btoa(`token:${token()}`)}` });

  it.each([
    ['GET', '/git/globex.git/info/refs?service=git-upload-pack'],
    ['GET', '/git/globex.git/info/refs?service=git-receive-pack'],
    ['GET', '/git/nobody.git/info/refs?service=git-upload-pack'],
    ['POST', '/git/globex.git/git-upload-pack'],
    ['POST', '/git/globex.git/git-receive-pack'],
    ['GET', '/raw/tenant/globex/manifest.json'],
    ['GET', '/raw/tenant/globex/release.jws.json'],
    ['GET', '/raw/tenant/nobody/manifest.json'],
    ['PUT', '/artifacts/globex/bundle.tar.gz'],
  ])('is refused at %s %s of another', async (method, path) => {
    const response = await fetch(running.url + path, { method, headers: headers() });
    expect(response.status).toBe(403);
    expect(await response.text()).not.toContain('secret');
  });

  it.each(['/edge/notify', '/edge/status', '/edge/events', '/edge/enroll', '/edge/uploads'])(
    'does not speak at %s',
    async (path) => {
      const response = await fetch(running.url + path, {
        method: 'POST',
        headers: { ...headers(), 'content-type': 'application/json' },
        body: '{}',
      });
      expect([401, 422]).toContain(response.status);
    },
  );

  it.each([
    '/api/tenants',
    '/api/agents',
    '/api/agents/x',
    '/api/events',
    '/api/runs',
    '/api/runs/x',
    '/api/agents/x/uploads',
    '/api/uploads/x',
  ])('does not read %s', async (path) => {
    const response = await fetch(running.url + path, { headers: { ...headers(), 'x-api-key': token() } });
    expect(response.status).toBe(401);
  });

  it('does not let git in', async () => {
    await expect(git(running.directory, 'ls-remote', withBasic(globex.gitUrl, token()))).rejects.toThrow(
      /403/,
    );
  });
});

describe('the device key of an agent of one tenant', () => {
  it('does not read the branch of another', async () => {
    const url = `${running.url}/raw/tenant/globex/manifest.json`;
    expect((await call(intruder, 'GET', url)).status).toBe(403);
    expect((await call(victim, 'GET', url)).status).toBe(200);
  });

  it('does not report for another agent', async () => {
    const status = await call(intruder, 'POST', `${running.url}/edge/status`, statusOf(victim));
    expect(status.status).toBe(422);
    expect(await running.console.admin.status(victim.issuer)).toBe(null);
    const hash = (line: string) => createHash('sha256').update(line).digest('hex');
    const events = eventChain(victim, randomUUID(), 2, hash);
    const body = { log_id: events[0]?.log_id, events };
    expect((await call(intruder, 'POST', `${running.url}/edge/events`, body)).status).toBe(422);
    expect(await running.console.admin.events({ agent: victim.issuer })).toEqual([]);
    // Nor does it stand in the way of the agent whose log it is.
    expect((await call(victim, 'POST', `${running.url}/edge/events`, body)).status).toBe(200);
  });

  it('does not sign as another agent', async () => {
    const forged = { jwk: intruder.jwk, issuer: victim.issuer };
    const response = await call(forged, 'POST', `${running.url}/edge/status`, statusOf(victim));
    expect(response.status).toBe(401);
  });
});
