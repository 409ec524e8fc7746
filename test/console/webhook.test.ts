import { createHmac } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  addTenant,
  type EnrolledAgent,
  enrolAgent,
  type RunningConsole,
  startConsole,
} from './running-console.ts';
import { connect, type TunnelClient } from './tunnel-client.ts';

let running: RunningConsole;
let agent: EnrolledAgent;
let client: TunnelClient;
let hook: { url: string; secret: string };
const COMMIT = 'c0ffee'.padEnd(40, '0');
const push = (change: Record<string, unknown> = {}) =>
  JSON.stringify({ ref: 'refs/heads/tenant/acme', after: COMMIT, commits: [], ...change });

beforeAll(async () => {
  running = await startConsole({ limits: { hookBurst: 100, hookBytes: 10_000 } });
  await addTenant(running, 'acme');
  await addTenant(running, 'globex');
  agent = await enrolAgent(running, 'acme');
  client = await connect(agent, running.url);
  hook = await running.console.admin.newHookSecret('acme');
});
afterAll(async () => {
  await client.end();
  await running[Symbol.asyncDispose]();
});

const sign = (body: string, secret = hook.secret) => createHmac('sha256', secret).update(body).digest('hex');
const post = async (body: string, headers: Record<string, string>, url = hook.url) => {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body,
  });
  return [response.status, await response.json()] as const;
};
const github = (body: string, secret?: string) => ({
  'x-github-event': 'push',
  'x-hub-signature-256': `sha256=${sign(body, secret)}`,
});
const nudges = async () => {
  client.send('edgeflows.echo.request', 1);
  await client.next('edgeflows.echo.reply');
  return client.received.filter(({ type }) => type === 'edgeflows.reconcile.request').length;
};

describe('POST /hooks/<slug>', () => {
  it.each([
    ['GitHub', (body: string) => github(body)],
    ['Gitea', (body: string) => ({ 'x-gitea-event': 'push', 'x-gitea-signature': sign(body) })],
    ['Gogs', (body: string) => ({ 'x-gogs-event': 'push', 'x-gogs-signature': sign(body) })],
    ['GitLab', () => ({ 'x-gitlab-event': 'Push Hook', 'x-gitlab-token': hook.secret })],
  ])('nudges the agents of the tenant when %s tells of a push', async (_forge, headers) => {
    const body = push();
    expect(await post(body, headers(body))).toEqual([200, { done: 'nudged', agents: 1 }]);
    expect((await client.next('edgeflows.reconcile.request')).data).toEqual({
      revision: `tenant/acme@sha1:${COMMIT}`,
    });
  });

  it('takes the form that GitHub can send, and a branch without a commit', async () => {
    const body = new URLSearchParams({ payload: push({ after: '0'.repeat(40) }) }).toString();
    const headers = { ...github(body), 'content-type': 'application/x-www-form-urlencoded' };
    expect(await post(body, headers)).toEqual([200, { done: 'nudged', agents: 1 }]);
    expect((await client.next('edgeflows.reconcile.request')).data).toEqual({});
  });

  it('does nothing for another branch, a tag or another event, and says so', async () => {
    const before = await nudges();
    for (const ref of [
      'refs/heads/main',
      'refs/heads/tenant/globex',
      'refs/tags/tenant/acme',
      'tenant/acme',
    ]) {
      const body = push({ ref });
      expect(await post(body, github(body))).toEqual([
        200,
        { done: 'nothing', why: `expected a push to refs/heads/tenant/acme, found ${ref}`, agents: 0 },
      ]);
    }
    const body = '{"zen":"x"}';
    expect(await post(body, { ...github(body), 'x-github-event': 'ping' })).toEqual([
      200,
      { done: 'nothing', why: 'expected a push, found ping', agents: 0 },
    ]);
    expect(await nudges()).toBe(before);
  });

  it('believes nothing without the secret, and tells no tenants apart', async () => {
    const before = await nudges();
    const body = push();
    const attempts: [Record<string, string>, string?][] = [
      [{}],
      [github(body, 'guess')],
      [github(`${body} `)],
      [{ 'x-hub-signature-256': 'sha256=' }],
      [{ 'x-gitlab-token': 'guess' }],
      [{ ...github(body), 'x-gitea-signature': '00' }],
      [github(body), `${running.url}/hooks/globex`],
      [github(body), `${running.url}/hooks/nobody`],
      [github(body, 'no secret'), `${running.url}/hooks/globex`],
    ];
    const answers = await Promise.all(attempts.map(async ([headers, url]) => post(body, headers, url)));
    for (const answer of answers) {
      expect(answer).toEqual([401, { error: expect.objectContaining({ code: 'signature_refused' }) }]);
    }
    expect(await nudges()).toBe(before);
  });

  it('refuses a body that is no push, or too large', async () => {
    for (const body of ['nonsense', '[]', '{}']) {
      expect((await post(body, github(body)))[0]).toBe(422);
    }
    const large = push({ padding: 'x'.repeat(20_000) });
    expect((await post(large, github(large)))[0]).toBe(413);
  });

  it('takes a new secret and forgets the old one, and takes so many calls and no more', async () => {
    const old = hook;
    hook = await running.console.admin.newHookSecret('acme');
    expect(hook.secret).not.toBe(old.secret);
    const body = push();
    expect((await post(body, github(body, old.secret)))[0]).toBe(401);
    expect((await post(body, github(body)))[0]).toBe(200);
    const many = await Promise.all(Array.from({ length: 150 }, async () => post(body, github(body))));
    expect(many.some(([status]) => status === 429)).toBe(true);
  });
});
