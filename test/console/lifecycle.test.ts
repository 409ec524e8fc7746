import { randomBytes } from 'node:crypto';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import isomorphicGit from 'isomorphic-git';
import isomorphicHttp from 'isomorphic-git/http/node';
import { Agent, fetch as undiciFetch } from 'undici';
import { describe, expect, it } from 'vitest';
import { createNotices } from '../../console/notices.ts';
import { createRateLimit } from '../../console/rate-limit.ts';
import { openDatabase } from '../../console/store/sqlite/database.ts';
import { makeCertificate } from '../support/certificate.ts';
import {
  addTenant,
  call,
  enrolAgent,
  publish,
  type RunningConsole,
  runReport,
  startConsole,
} from './running-console.ts';

/** A push whose first line never comes to its end. */
function hangingPush(running: RunningConsole, publisherToken: string) {
  const client = request(`${running.url}/git/acme.git/git-receive-pack`, {
    method: 'POST',
    headers: {
      authorization: `Basic ${btoa(`t:${publisherToken}`)}`,
      'content-type': 'application/x-git-receive-pack-request',
      'transfer-encoding': 'chunked',
    },
  });
  client.on('error', () => {});
  client.write('0100half a request');
  return client;
}

/** Processes whose parent is this one, and git among their descendants' names. */
async function gitProcesses(): Promise<number> {
  let count = 0;
  for (const entry of await readdir('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    const stat = await readFile(`/proc/${entry}/stat`, 'utf8').catch(() => '');
    const after = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (stat.includes('(git') && after[0] !== 'Z' && Number(after[1]) === process.pid) count += 1;
  }
  return count;
}

describe('a console that closes', () => {
  it('ends git, downloads and idle connections, and leaves the port', async () => {
    const running = await startConsole({ limits: { closeGraceMs: 100 } });
    const acme = await addTenant(running, 'acme');
    const { artifacts } = running.console.admin.paths('acme');
    await writeFile(join(artifacts, 'large'), randomBytes(30 * 1024 * 1024));
    const port = Number(new URL(running.url).port);
    const push = hangingPush(running, acme.publisherToken);
    const idle = connect(port, '127.0.0.1');
    const slow = connect(port, '127.0.0.1');
    const closed = [idle, slow].map(
      async (socket: Socket) =>
        new Promise<void>((resolve) => {
          socket.on('error', () => {}).on('close', () => resolve());
        }),
    );
    slow.write('GET /artifacts/acme/large HTTP/1.1\r\nhost: x\r\n\r\n');
    await new Promise((resolve) => {
      slow.once('data', resolve);
    });
    slow.pause();
    await expect.poll(gitProcesses).toBe(1);
    const began = performance.now();
    await Promise.all([running[Symbol.asyncDispose](), running.console.close()]);
    expect(performance.now() - began).toBeLessThan(2_000);
    expect(await gitProcesses()).toBe(0);
    slow.resume();
    await Promise.all(closed);
    push.destroy();
    await expect(fetch(running.url)).rejects.toThrow();
  });

  it('lets a request that is at work finish', async () => {
    const running = await startConsole();
    const { publisherToken, artifactsUrl } = await addTenant(running, 'acme');
    let finish = () => {};
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        controller.enqueue(Buffer.from('first '));
        finish = () => {
          controller.enqueue(Buffer.from('last'));
          controller.close();
        };
      },
    });
    const upload = fetch(`${artifactsUrl}file`, {
      method: 'PUT',
      headers: { authorization: `Basic ${btoa(`p:${publisherToken}`)}` },
      body,
      duplex: 'half',
    });
    const { artifacts } = running.console.admin.paths('acme');
    await expect.poll(async () => (await readdir(artifacts)).length).toBe(1);
    const closing = running.console.close();
    expect((await fetch(running.url).catch(() => ({ status: 503 }))).status).toBe(503);
    finish();
    expect((await upload).status).toBe(201);
    await closing;
    expect(await readFile(join(artifacts, 'file'), 'utf8')).toBe('first last');
    await running[Symbol.asyncDispose]();
  });

  it('may be closed before it listens', async () => {
    const running = await startConsole();
    const port = Number(new URL(running.url).port);
    await expect(startConsole({ port })).rejects.toThrow(/in use; choose another port/);
    await running[Symbol.asyncDispose]();
  });
});

describe('git at its limits', () => {
  it('is put off when too many are at work', async () => {
    await using running = await startConsole({ limits: { gitProcesses: 1 } });
    const acme = await addTenant(running, 'acme');
    const push = hangingPush(running, acme.publisherToken);
    await expect.poll(gitProcesses, { timeout: 5_000 }).toBe(1);
    const url = `${acme.gitUrl}/info/refs?service=git-upload-pack`;
    const headers = { authorization: `Basic ${btoa(`t:${acme.publisherToken}`)}` };
    const busy = await fetch(url, { headers });
    expect([busy.status, busy.headers.get('retry-after')]).toEqual([503, '1']);
    push.destroy();
  });

  it('is ended at its deadline, and makes room', async () => {
    await using running = await startConsole({ limits: { gitProcesses: 1, gitDeadlineMs: 700 } });
    const acme = await addTenant(running, 'acme');
    const push = hangingPush(running, acme.publisherToken);
    await expect.poll(gitProcesses, { timeout: 5_000 }).toBe(1);
    await expect.poll(gitProcesses, { timeout: 5_000 }).toBe(0);
    const url = `${acme.gitUrl}/info/refs?service=git-upload-pack`;
    const headers = { authorization: `Basic ${btoa(`t:${acme.publisherToken}`)}` };
    await expect.poll(async () => (await fetch(url, { headers })).status, { timeout: 5_000 }).toBe(200);
    push.destroy();
  });

  it('serves the git of the agent, an empty repository included', async () => {
    await using running = await startConsole();
    const acme = await addTenant(running, 'acme');
    const agent = await enrolAgent(running, 'acme');
    const remote = {
      http: isomorphicHttp,
      url: agent.answer.git.url,
      onAuth: () => ({ username: 'token', password: agent.answer.git.token ?? '' }),
    };
    expect(
      await isomorphicGit.listServerRefs({ ...remote, protocolVersion: 2, prefix: 'refs/heads/' }),
    ).toEqual([]);
    const { commit } = await publish(running, acme, { 'manifest.json': '{}' });
    const refs = await isomorphicGit.listServerRefs({
      ...remote,
      protocolVersion: 2,
      prefix: 'refs/heads/tenant/acme',
    });
    expect(refs).toEqual([{ ref: 'refs/heads/tenant/acme', oid: commit }]);
  });
});

describe('TLS', () => {
  it('serves everything over https when it has a key', async () => {
    using certificate = makeCertificate();
    await using running = await startConsole({ tls: { key: certificate.key, cert: certificate.cert } });
    expect(running.url).toMatch(/^https:\/\/127\.0\.0\.1:\d+$/);
    const dispatcher = new Agent({ connect: { ca: certificate.cert } });
    const response = await undiciFetch(`${running.url}/healthz`, { dispatcher });
    expect(response.status).toBe(200);
    expect(response.headers.get('strict-transport-security')).toContain('max-age');
    await dispatcher.close();
  });

  it.each(['http://console.example', 'https://console.example/base', 'ftp://x', 'nonsense'])(
    'does not start with the public URL %s',
    async (publicUrl) => {
      await expect(startConsole({ publicUrl })).rejects.toThrow(/publicUrl: expected/);
    },
  );
});

describe('the database', () => {
  it('is refused when a newer console wrote it', async () => {
    const running = await startConsole();
    await running.console.close();
    const path = join(running.directory, 'data', 'console.db');
    const sql = new DatabaseSync(path);
    sql.exec('PRAGMA user_version = 99');
    sql.close();
    expect(() => openDatabase(path)).toThrow(/newer console/);
    await running[Symbol.asyncDispose]();
  });

  it('keeps so many runs of every agent, the newest', async () => {
    const running = await startConsole();
    await addTenant(running, 'acme');
    const agents = [await enrolAgent(running, 'acme'), await enrolAgent(running, 'acme')];
    for (const agent of agents) {
      for (const number of [1, 2, 3, 4]) {
        const report = runReport({ run_id: `run-${number}`, stdout: 'x'.repeat(number === 3 ? 5_000 : 10) });
        const headers = { 'idempotency-key': `run-${number}.1` };
        await call(agent, 'POST', `${running.url}/edge/notify`, report, headers);
      }
    }
    await running.console.close();
    const dataDirectory = join(running.directory, 'data');
    const left = async (limits: { keepRuns: number; keepRunBytes?: number }) => {
      await using again = await startConsole({ dataDirectory, limits });
      return (await again.console.admin.runs({ agent: agents[0]?.issuer })).map((row) => row.run_id);
    };
    expect(await left({ keepRuns: 3 })).toEqual(['run-4', 'run-3', 'run-2']);
    expect(await left({ keepRuns: 3, keepRunBytes: 2_000 })).toEqual(['run-4']);
    await running[Symbol.asyncDispose]();
  });
});

describe('a notice', () => {
  it('reaches whoever waits for it, in spite of a listener that throws, until they give up', async () => {
    const faults: unknown[] = [];
    const { push } = createNotices((error) => faults.push(error));
    push.subscribe(() => {
      throw new Error('listener');
    });
    const second = push.waitFor(({ commit }) => commit === '2', AbortSignal.timeout(5_000));
    const giveUp = new AbortController();
    const never = push.waitFor(({ commit }) => commit === '3', giveUp.signal);
    push.publish({ tenant: 'acme', commit: '1' });
    push.publish({ tenant: 'acme', commit: '2' });
    giveUp.abort(new Error('enough'));
    expect((await second).commit).toBe('2');
    await expect(never).rejects.toThrow('enough');
    expect(faults).toHaveLength(2);
  });
});

describe('a rate limit', () => {
  it('refills with time and never beyond its burst', () => {
    let now = 0;
    const limit = createRateLimit({ burst: 2, perSecond: 10, nowMs: () => now });
    const taken = (times: number) => {
      let count = 0;
      for (let index = 0; index < times; index += 1) {
        try {
          limit.take('a');
          count += 1;
        } catch {}
      }
      return count;
    };
    expect(taken(5)).toBe(2);
    now += 100;
    expect(taken(5)).toBe(1);
    now += 3_600_000;
    expect(taken(5)).toBe(2);
    limit.take('b');
  });
});
