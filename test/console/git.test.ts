import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, readFile, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  addTenant,
  type EnrolledAgent,
  enrolAgent,
  git,
  publish,
  type RunningConsole,
  startConsole,
  withBasic,
} from './running-console.ts';

let running: RunningConsole;
let acme: Awaited<ReturnType<typeof addTenant>>;
let agent: EnrolledAgent;
let work: Awaited<ReturnType<typeof publish>>;
const pushes: { tenant: string; commit: string | null }[] = [];

beforeAll(async () => {
  running = await startConsole({ limits: { gitFetchRequestBytes: 64 * 1024 } });
  running.console.notices.push.subscribe((notice) => pushes.push(notice));
  acme = await addTenant(running, 'acme');
  await addTenant(running, 'globex');
  agent = await enrolAgent(running, 'acme');
  work = await publish(running, acme, { 'manifest.json': '{"a":1}' });
});
afterAll(async () => running[Symbol.asyncDispose]());

const agentUrl = () => withBasic(agent.answer.git.url, agent.answer.git.token ?? '');

describe('git over HTTP', () => {
  it('lets an agent clone what the publisher pushed, HEAD on the tenant branch', async () => {
    const into = await mkdtemp(join(running.directory, 'clone-'));
    await git(into, 'clone', '-q', agentUrl(), 'copy');
    expect((await git(join(into, 'copy'), 'rev-parse', '--abbrev-ref', 'HEAD')).trim()).toBe('tenant/acme');
    expect((await git(join(into, 'copy'), 'rev-parse', 'HEAD')).trim()).toBe(work.commit);
  });

  it('takes the token as user name too', async () => {
    const url = new URL(agent.answer.git.url);
    url.username = agent.answer.git.token ?? '';
    expect(await git(running.directory, 'ls-remote', url.href)).toContain(work.commit);
  });

  it('speaks protocol 2 when asked to', async () => {
    const response = await fetch(`${acme.gitUrl}/info/refs?service=git-upload-pack`, {
      headers: { authorization: `Basic ${btoa(`t:${agent.answer.git.token}`)}`, 'git-protocol': 'version=2' },
    });
    expect(response.headers.get('content-type')).toBe('application/x-git-upload-pack-advertisement');
    expect(await response.text()).toContain('version 2');
  });

  it('says that the branch moved, once it did, and with which commit', async () => {
    const before = pushes.length;
    await writeFile(join(work.folder, 'manifest.json'), '{"a":2}');
    await git(work.folder, 'commit', '-qam', 'Second');
    await git(work.folder, 'push', '-q', 'origin', 'HEAD');
    const commit = (await git(work.folder, 'rev-parse', 'HEAD')).trim();
    await expect.poll(() => pushes.slice(before)).toEqual([{ tenant: 'acme', commit }]);
    await git(work.folder, 'push', '-q', 'origin', 'HEAD');
    expect(pushes).toHaveLength(before + 1);
  });

  it('takes a push of several megabytes and serves a shallow fetch of it', async () => {
    await writeFile(join(work.folder, 'big.bin'), randomBytes(3 * 1024 * 1024));
    await git(work.folder, 'add', '.');
    await git(work.folder, 'commit', '-qm', 'Big');
    await git(work.folder, 'push', '-q', 'origin', 'HEAD');
    const into = await mkdtemp(join(running.directory, 'shallow-'));
    await git(into, 'clone', '-q', '--depth', '1', agentUrl(), 'copy');
    expect((await git(join(into, 'copy'), 'rev-list', '--count', 'HEAD')).trim()).toBe('1');
  });

  it('does not let an agent push', async () => {
    await expect(git(work.folder, 'push', agentUrl(), 'HEAD')).rejects.toThrow(/403/);
  });

  it('shows and takes only the tenant branch and tags', async () => {
    await git(work.folder, 'tag', 'v1.0.0');
    await git(work.folder, 'push', '-q', 'origin', 'v1.0.0');
    await expect.poll(() => pushes.at(-1)?.commit).toBe((await git(work.folder, 'rev-parse', 'HEAD')).trim());
    const before = pushes.length;
    for (const ref of ['refs/heads/main', 'refs/heads/tenant/globex', 'refs/notes/x']) {
      await expect(git(work.folder, 'push', 'origin', `HEAD:${ref}`)).rejects.toThrow(/hidden ref/);
    }
    // Refused pushes are told to nobody; the next one that is taken is the next that is heard.
    await git(work.folder, 'tag', 'v1.0.1');
    await git(work.folder, 'push', '-q', 'origin', 'v1.0.1');
    await expect.poll(() => pushes.length).toBeGreaterThan(before);
    expect(pushes).toHaveLength(before + 1);
    const repository = running.console.admin.paths('acme').repository;
    await git(repository, 'update-ref', 'refs/heads/secret', work.commit);
    const refs = (await git(running.directory, 'ls-remote', agentUrl()))
      .trim()
      .split('\n')
      .map((line) => line.split('\t')[1]);
    expect(refs).toEqual(['HEAD', 'refs/heads/tenant/acme', 'refs/tags/v1.0.0', 'refs/tags/v1.0.1']);
  });

  it('keeps the tenant branch from being deleted', async () => {
    await expect(git(work.folder, 'push', 'origin', ':refs/heads/tenant/acme')).rejects.toThrow(
      /refus|prohibit/,
    );
  });

  it.each(['HEAD', 'config', 'objects/info/packs', '../../console.key', 'info/refs'])(
    'does not serve %s of the repository as a file',
    async (path) => {
      const response = await fetch(`${acme.gitUrl}/${path}`, {
        headers: { authorization: `Basic ${btoa(`t:${agent.answer.git.token}`)}` },
      });
      expect([403, 404]).toContain(response.status);
    },
  );

  it('asks for credentials, and refuses wrong ones and those of another tenant', async () => {
    const url = `${acme.gitUrl}/info/refs?service=git-upload-pack`;
    const missing = await fetch(url);
    expect(missing.status).toBe(401);
    expect(missing.headers.get('www-authenticate')).toMatch(/^Basic /);
    const wrong = await fetch(url, { headers: { authorization: `Basic ${btoa('t:egr_wrong')}` } });
    expect(wrong.status).toBe(401);
    const other = await fetch(url.replace('acme', 'globex'), {
      headers: { authorization: `Basic ${btoa(`t:${agent.answer.git.token}`)}` },
    });
    expect(other.status).toBe(403);
  });

  it('ends the tokens of a revoked agent', async () => {
    const gone = await enrolAgent(running, 'acme');
    const url = withBasic(gone.answer.git.url, gone.answer.git.token ?? '');
    await git(running.directory, 'ls-remote', url);
    await running.console.admin.revokeAgent(gone.issuer);
    await expect(git(running.directory, 'ls-remote', url)).rejects.toThrow(
      /Authentication failed|401|terminal prompts/,
    );
  });

  it('takes compressed requests, up to a cap on what they inflate to', async () => {
    const line = (text: string) => (text.length + 5).toString(16).padStart(4, '0') + text + '\n';
    const wants = (haves: number) =>
      `${line('command=fetch')}0001${line('no-progress')}${line(`want ${work.commit}`)}` +
      `${line(`have ${'0'.repeat(39)}1`).repeat(haves)}${line('done')}0000`;
    const ask = async (body: Uint8Array, headers: Record<string, string>) => {
      const response = await fetch(`${acme.gitUrl}/git-upload-pack`, {
        method: 'POST',
        headers: {
          authorization: `Basic ${btoa(`t:${agent.answer.git.token}`)}`,
          'content-type': 'application/x-git-upload-pack-request',
          'git-protocol': 'version=2',
          ...headers,
        },
        body,
      });
      return `${response.status} ${(await response.text().catch(() => 'cut off')).includes('PACK')}`;
    };
    const gzip = { 'content-encoding': 'gzip' };
    expect(await ask(gzipSync(wants(10)), gzip)).toBe('200 true');
    const bomb = gzipSync(wants(3_000));
    expect(bomb.length).toBeLessThan(8 * 1024);
    expect(await ask(bomb, gzip)).not.toContain('true');
    expect(await ask(Buffer.from(wants(3_000)), {})).toBe('413 false');
    expect(await ask(Buffer.from('x'), { 'content-encoding': 'br' })).toBe('415 false');
  });

  it('ends git when the client goes away', async () => {
    const before = await gitProcesses();
    const client = request(`${acme.gitUrl}/git-receive-pack`, {
      method: 'POST',
      headers: {
        authorization: `Basic ${btoa(`t:${acme.publisherToken}`)}`,
        'content-type': 'application/x-git-receive-pack-request',
        'transfer-encoding': 'chunked',
      },
    });
    client.on('error', () => {});
    // A line that says it has 256 bytes, and has not.
    client.write('0100half a request');
    await expect.poll(gitProcesses).toBeGreaterThan(before);
    client.destroy();
    await expect.poll(gitProcesses).toBe(before);
  });
});

/** Processes of git that are children of this one. */
async function gitProcesses(): Promise<number> {
  let count = 0;
  for (const entry of await readdir('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    const stat = await readFile(`/proc/${entry}/stat`, 'utf8').catch(() => '');
    const [name, rest] = [/\((.*)\)/.exec(stat)?.[1], stat.slice(stat.lastIndexOf(')') + 2).split(' ')];
    if (name?.startsWith('git') === true && rest[0] !== 'Z' && Number(rest[1]) === process.pid) count += 1;
  }
  return count;
}
