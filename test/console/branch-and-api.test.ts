import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  addTenant,
  call,
  type EnrolledAgent,
  enrolAgent,
  git,
  publish,
  type RunningConsole,
  runReport,
  startConsole,
  statusOf,
} from './running-console.ts';

let running: RunningConsole;
let agent: EnrolledAgent;
let work: Awaited<ReturnType<typeof publish>>;

beforeAll(async () => {
  running = await startConsole();
  const acme = await addTenant(running, 'acme');
  await addTenant(running, 'empty');
  agent = await enrolAgent(running, 'acme');
  work = await publish(running, acme, { 'manifest.json': '{"n": 1}\n', 'private.txt': 'x' });
});
afterAll(async () => running[Symbol.asyncDispose]());

const read = async (path: string, key = running.apiKey) =>
  fetch(running.url + path, { headers: { 'x-api-key': key } });
const raw = async (file: string, headers: Record<string, string> = {}) =>
  fetch(`${running.url}/raw/tenant/acme/${file}`, {
    headers: { authorization: `Basic ${btoa(`t:${agent.answer.git.token}`)}`, ...headers },
  });

describe('the branch over HTTP', () => {
  it('is said to exist once something was pushed', async () => {
    const ask = async (name: string) => {
      const response = await fetch(`${running.url}/api/branch-exists?name=${name}`);
      return [response.status, await response.json()];
    };
    expect(await ask('tenant/acme')).toEqual([200, { exists: true }]);
    expect(await ask('tenant/empty')).toEqual([
      404,
      { error: expect.objectContaining({ code: 'branch_missing' }) },
    ]);
    expect((await ask('tenant/nobody'))[0]).toBe(404);
    expect((await ask('main'))[0]).toBe(400);
    expect((await ask('tenant/..%2facme'))[0]).toBe(400);
  });

  it('gives the bytes of the tip, an ETag that is their name, and 304 while they stay', async () => {
    const first = await raw('manifest.json');
    expect([first.status, await first.text()]).toEqual([200, '{"n": 1}\n']);
    const etag = first.headers.get('etag') ?? '';
    expect(etag).toBe(`"${(await git(work.folder, 'rev-parse', 'HEAD:manifest.json')).trim()}"`);
    expect((await raw('manifest.json', { 'if-none-match': etag })).status).toBe(304);
    await writeFile(join(work.folder, 'manifest.json'), '{"n": 2}\n');
    await mkdir(join(work.folder, 'roots'), { recursive: true });
    await writeFile(join(work.folder, 'roots', '2.root.jws.json'), '{}');
    await git(work.folder, 'add', '.');
    await git(work.folder, 'commit', '-qam', 'Second');
    await git(work.folder, 'push', '-q', 'origin', 'HEAD');
    const second = await raw('manifest.json', { 'if-none-match': etag });
    expect([second.status, await second.text()]).toEqual([200, '{"n": 2}\n']);
    expect((await raw('roots/2.root.jws.json')).status).toBe(200);
  });

  it('takes the device key for it too', async () => {
    const url = `${running.url}/raw/tenant/acme/manifest.json`;
    expect((await call(agent, 'GET', url)).status).toBe(200);
    expect((await fetch(url)).status).toBe(401);
  });

  it.each([
    'private.txt',
    'release.jws.json',
    'roots/02.root.jws.json',
    '..%2fmanifest.json',
    'manifest.json%0aHEAD',
  ])('does not give %s', async (file) => {
    expect((await raw(file)).status).toBe(404);
  });
});

describe('the read API', () => {
  it('asks for a key', async () => {
    expect((await fetch(`${running.url}/api/tenants`)).status).toBe(401);
    expect((await read('/api/tenants', 'eka_wrong')).status).toBe(401);
    expect((await read('/api/tenants', await running.console.admin.newApiKey('second'))).status).toBe(200);
  });

  it('slows down whoever guesses keys, and nobody else', async () => {
    await using strict = await startConsole({ limits: { strangerBurst: 3, strangerPerSecond: 0.01 } });
    const guess = async (key: string) =>
      (await fetch(`${strict.url}/api/tenants`, { headers: { 'x-api-key': key } })).status;
    expect([await guess('a'), await guess('b'), await guess('c'), await guess('d')]).toEqual([
      401, 401, 401, 429,
    ]);
    expect(await guess(strict.apiKey)).toBe(200);
  });

  it('shows tenants and agents with their newest status, and no secret', async () => {
    await call(agent, 'POST', `${running.url}/edge/status`, statusOf(agent));
    const tenants = await (await read('/api/tenants')).text();
    expect(tenants).toContain(`"branch":"tenant/acme"`);
    const { agents } = (await (await read('/api/agents?tenant=acme')).json()) as {
      agents: { agent_id: string }[];
    };
    expect(agents).toMatchObject([{ agent_id: agent.issuer, last_seen_at: expect.stringMatching(/Z$/) }]);
    const one = await (await read(`/api/agents/${agent.issuer}`)).text();
    expect((JSON.parse(one) as { status: unknown }).status).toEqual(statusOf(agent));
    for (const text of [tenants, one]) {
      expect(text).not.toContain(agent.answer.git.token);
      expect(text).not.toMatch(/token|hash/);
    }
    expect((await read('/api/agents/nobody')).status).toBe(404);
  });

  it('pages through runs, newest first, and gives one whole', async () => {
    const reports = [1, 2, 3].map((number) => runReport({ stdout: `run ${number}` }));
    for (const report of reports) {
      const headers = { 'idempotency-key': `${report.run_id}.1` };
      await call(agent, 'POST', `${running.url}/edge/notify`, report, headers);
    }
    const page = async (query: string) =>
      (await (await read(`/api/runs?agent=${agent.issuer}&limit=2${query}`)).json()) as {
        runs: { run_id: string }[];
        next_before: number | null;
      };
    const first = await page('');
    const second = await page(`&before=${first.next_before}`);
    const ids = [...first.runs, ...second.runs].map((row) => row.run_id);
    expect(ids).toEqual(reports.map((report) => report.run_id).reverse());
    expect(second.next_before).toBe(null);
    expect(await (await read(`/api/runs/${reports[0]?.run_id}`)).json()).toEqual(reports[0]);
    expect((await read('/api/runs/nothing')).status).toBe(404);
    expect((await read('/api/runs?limit=9999')).status).toBe(400);
  });
});

describe('every answer', () => {
  it('keeps browsers from making anything of it, and has an id', async () => {
    for (const path of ['/', '/healthz', '/nowhere', '/api/tenants']) {
      const response = await fetch(running.url + path);
      expect(response.headers.get('x-content-type-options')).toBe('nosniff');
      expect(response.headers.get('content-security-policy')).toContain("default-src 'none'");
      expect(response.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
      expect(response.headers.get('date')).not.toBe(null);
    }
  });

  it('says what went wrong as JSON, without a stack', async () => {
    const response = await fetch(`${running.url}/nowhere?token=secret`);
    expect(response.status).toBe(404);
    const text = await response.text();
    expect(JSON.parse(text)).toEqual({
      error: { code: 'not_found', message: expect.stringContaining('/nowhere') },
    });
    expect(text).not.toMatch(/secret|\bat /);
    const malformed = await fetch(`${running.url}/raw/tenant/%ff/x`);
    expect(malformed.status).toBe(400);
    expect(await malformed.json()).toHaveProperty('error.code');
  });

  it('tells a person at / what this is', async () => {
    const response = await fetch(running.url);
    expect(response.headers.get('content-type')).toContain('text/plain');
    expect(await response.text()).toContain('X-Api-Key');
  });
});
