import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { main } from '../../console/main.ts';
import { newKey } from '../../trust/ceremony/new-key.ts';
import { call, enrolBody, rootDocument } from './running-console.ts';

const MAIN = fileURLToPath(new URL('../../console/main.ts', import.meta.url));
let folder: string;
let server: ChildProcess;
let url: string;
let apiKey: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'console-command-'));
  await writeFile(join(folder, '1.root.jws.json'), await rootDocument());
  server = spawn(process.execPath, [MAIN, 'serve', '--port', '0', '--output', 'json'], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = (await once(createInterface(server.stdout as NodeJS.ReadableStream), 'line')) as [string];
  ({ url, api_key: apiKey } = JSON.parse(line) as { url: string; api_key: string });
});
afterAll(async () => {
  if (server.exitCode === null) server.kill('SIGKILL');
  await rm(folder, { recursive: true, force: true });
});

const run = async (...args: string[]) => runIn(folder, ...args);
const runIn = async (cwd: string, ...args: string[]) =>
  new Promise<{ code: number; stdout: string; stderr: string }>((resolve) => {
    execFile(process.execPath, [MAIN, ...args], { cwd }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
    });
  });

describe('npm run console', () => {
  it('makes a tenant and a token beside the running server, whose agents the verbs then list', async () => {
    const added = await run('tenant', 'add', 'acme', '--root', '1.root.jws.json', '--output', 'json');
    expect(JSON.parse(added.stdout)).toMatchObject({ slug: 'acme', git_url: `${url}/git/acme.git` });
    const token = (await run('token', 'new', 'acme', '--expires', '10m')).stdout.trim();
    const jwk = newKey();
    const enrolled = await call(
      { jwk, issuer: jwk.kid },
      'POST',
      `${url}/edge/enroll`,
      enrolBody(token, jwk),
    );
    expect(enrolled.status).toBe(201);
    const { agent_id } = (await enrolled.json()) as { agent_id: string };
    const agents = await run('agents', '--output', 'json');
    expect(JSON.parse(agents.stdout)).toMatchObject([{ agent_id, tenant: 'acme', hostname: 'pc-1' }]);
    expect((await run('agents')).stdout).toMatch(/^AGENT_ID +TENANT/);
    expect((await run('revoke', agent_id)).code).toBe(0);
  });

  it('prints a key at the first start, which opens the read API', async () => {
    const response = await fetch(`${url}/api/tenants`, { headers: { 'x-api-key': apiKey } });
    expect(response.status).toBe(200);
  });

  it('makes the first key at the first start that gets as far as to show it', async () => {
    const cwd = join(folder, 'first');
    await mkdir(cwd);
    const failed = await runIn(cwd, 'serve', '--port', new URL(url).port);
    expect([failed.code, failed.stderr]).toEqual([1, expect.stringContaining('in use') as string]);
    const started = spawn(process.execPath, [MAIN, 'serve', '--port', '0', '--output', 'json'], {
      cwd,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    try {
      const [line] = (await once(createInterface(started.stdout), 'line')) as [string];
      const shown = JSON.parse(line) as { url: string; api_key: string | null };
      const answer = await fetch(`${shown.url}/api/tenants`, {
        headers: { 'x-api-key': shown.api_key ?? '' },
      });
      expect(answer.status).toBe(200);
    } finally {
      started.kill('SIGKILL');
    }
  });

  it('says what was wrong, with exit code 2', async () => {
    const results = await Promise.all([
      run('token', 'new', 'nobody', '--output', 'json'),
      run('tenant', 'add', 'globex', '--root', 'missing.json'),
      run('serve', '--port', 'x'),
      run('nonsense'),
    ]);
    expect(results.map((result) => result.code)).toEqual([2, 2, 2, 2]);
    expect(JSON.parse(results[0].stdout)).toMatchObject({ error: { code: 'wrong_use' } });
    expect(results[1].stderr).toContain('missing.json');
  });

  it('makes no second console in a folder where none runs, and says which folder it looked at', async () => {
    const elsewhere = join(folder, 'elsewhere');
    await mkdir(elsewhere);
    const added = await runIn(elsewhere, 'tenant', 'add', 'globex', '--root', '../1.root.jws.json');
    expect([added.code, added.stdout]).toEqual([2, '']);
    expect(added.stderr).toContain(join('elsewhere', 'console-data'));
    expect(added.stderr).toContain('--data');
    await writeFile(join(folder, 'trigger.jwk'), JSON.stringify(newKey()), { mode: 0o600 });
    const verbs = [
      ['tenant', 'list'],
      ['token', 'list'],
      ['key', 'new'],
      ['agents'],
      ['command', 'run', '--agent', 'a1', '--flow', 'f', '--key', join(folder, 'trigger.jwk')],
    ];
    const data = join(elsewhere, 'none', 'of', 'it');
    for (const words of verbs) expect([words, await main([...words, '--data', data])]).toEqual([words, 2]);
    expect(await readdir(elsewhere)).toEqual([]);
    const there = await runIn(elsewhere, 'tenant', 'list', '--data', '../console-data');
    expect(there).toMatchObject({ code: 0, stdout: expect.stringContaining('acme') as string });
  });

  it('ends in peace on SIGTERM', async () => {
    server.kill('SIGTERM');
    const [code, signal] = (await once(server, 'exit')) as [number | null, string | null];
    expect([code, signal]).toEqual([0, null]);
  });
});
