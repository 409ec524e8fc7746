import { spawn } from 'node:child_process';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { TokenMade } from '../../schemas/console/token.ts';
import { addTenant, enrolAgent, publish, type RunningConsole, startConsole } from './running-console.ts';

let running: RunningConsole;
beforeAll(async () => {
  running = await startConsole();
  const acme = await addTenant(running, 'acme');
  await publish(running, acme, { 'manifest.json': '{}' });
  await addTenant(running, 'globex');
});
afterAll(async () => running[Symbol.asyncDispose]());

async function ask(method: string, path: string, body?: unknown, key = running.apiKey) {
  const answer = await fetch(running.url + path, {
    method,
    headers: { 'x-api-key': key, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: answer.status, body: (await answer.json()) as Record<string, never> };
}

it('a machine becomes an agent by the line that comes with the token, pasted into a shell', async () => {
  const made = await ask('POST', '/api/tokens', { tenant: 'acme', expires: '30m' });
  expect(made.status).toBe(201);
  const { token, token_id, line, expires_at } = made.body as unknown as TokenMade;
  const left = Date.parse(expires_at) - Date.now();
  expect(left).toBeGreaterThan(25 * 60_000);
  expect(left).toBeLessThan(31 * 60_000);
  expect(line.powershell).toBe(`'${token}' | edge-agent enroll --config agent.yaml`);

  const bin = join(running.directory, 'bin');
  const machine = join(running.directory, 'machine');
  await Promise.all([mkdir(bin), mkdir(machine)]);
  const program = join(import.meta.dirname, '../../cli/main.ts');
  await writeFile(join(bin, 'edge-agent'), `#!/bin/sh\nexec '${process.execPath}' '${program}' "$@"\n`);
  await chmod(join(bin, 'edge-agent'), 0o700);
  const shell = spawn('sh', ['-c', line.posix], {
    cwd: machine,
    env: { ...process.env, HOME: machine, PATH: `${bin}:${process.env['PATH']}` },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [stdout, stderr] = await Promise.all([text(shell.stdout), text(shell.stderr)]);
  expect(stdout + stderr).toMatch(/This machine is agent \S+ of acme\./);
  expect(await readFile(join(machine, 'agent.yaml'), 'utf8')).toContain('tenant: acme');

  const { body } = await ask('GET', '/api/tokens?state=used');
  const agent_id = /agent (\S+) of/.exec(stdout)?.[1];
  expect(body['tokens']).toMatchObject([
    {
      token_id,
      tenant: 'acme',
      state: 'used',
      made_by: 'key:test',
      agent_id,
      hostname: expect.any(String) as string,
    },
  ]);
  expect(JSON.stringify(body)).not.toContain(token);
}, 60_000);

it('lists open tokens alone when they are asked for, and tells who made a token in the audit', async () => {
  const { body } = await ask('POST', '/api/tokens', { tenant: 'globex' });
  const open = await ask('GET', '/api/tokens?state=open&tenant=globex');
  expect(open.body['tokens']).toMatchObject([
    { token_id: body['token_id'], state: 'open', agent_id: null, hostname: null },
  ]);
  const audit = await ask('GET', '/api/audit?tenant=globex&action=token_made');
  expect(audit.body['entries']).toMatchObject([{ by: 'key:test', tenant: 'globex' }]);
});

it('remembers whom a token served when the token has expired', async () => {
  let now = new Date();
  const clock = { now: () => now, monotonicMs: () => performance.now() };
  await using later = await startConsole({ clock });
  await addTenant(later, 'acme');
  const agent = await enrolAgent(later, 'acme');
  now = new Date(Date.now() + 2 * 86_400_000);
  const data = join(later.directory, 'data');
  const port = Number(new URL(later.url).port);
  await later.console.close();
  await using again = await startConsole({ clock, dataDirectory: data, port });
  const answer = await fetch(`${again.url}/api/tokens`, { headers: { 'x-api-key': again.apiKey } });
  expect(await answer.json()).toMatchObject({
    tokens: [{ state: 'used', agent_id: agent.issuer, hostname: 'pc-1' }],
  });
});

it.each([
  [{ tenant: 'acme', expires: 'soon' }, 422, 'body_invalid'],
  [{ tenant: 'acme', expires: '31d' }, 422, 'body_invalid'],
  [{ tenant: 'acme', expires: '0s' }, 422, 'body_invalid'],
  [{ tenant: 'acme', for: 'me' }, 422, 'body_invalid'],
  [{ tenant: 'nobody' }, 404, 'not_found'],
])('refuses %o with %d', async (body, status, code) => {
  expect(await ask('POST', '/api/tokens', body)).toMatchObject({ status, body: { error: { code } } });
});

it('is for admins of the tenant alone', async () => {
  const grants = (tenant: string, role: 'operator' | 'admin') => ({ grants: [{ tenant, role }] });
  const operator = await running.console.admin.newApiKey('operator', grants('acme', 'operator'));
  const other = await running.console.admin.newApiKey('other', grants('globex', 'admin'));
  const draft = { tenant: 'acme' };
  expect(await ask('POST', '/api/tokens', draft, operator)).toMatchObject({
    status: 403,
    body: { error: { code: 'role_too_small' } },
  });
  expect(await ask('POST', '/api/tokens', draft, other)).toMatchObject({
    status: 404,
    body: { error: { code: 'not_found' } },
  });
});
