import { execFile } from 'node:child_process';
import { readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { decodeJwt } from 'jose';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Enrolment } from '../../agent/enrolment.ts';
import { AgentConfig } from '../../schemas/agent-config.ts';
import type { EnrolmentToken } from '../../schemas/enrolment.ts';
import { parseYaml } from '../../system/yaml-document.ts';
import { sha256Hex } from '../../trust/jws.ts';
import { type CeremonyFolder, ceremonyFolder } from '../agent/ceremony-folder.ts';
import {
  addTenant,
  git,
  publish,
  type RunningConsole,
  startConsole,
  withBasic,
} from '../console/running-console.ts';
import { AGENT_MAIN } from '../support/agent-program.ts';
import { type CommandOptions, type Ended, edgeAgent } from './edge-agent.ts';

const MANIFEST = `{"edge_url":"https://a.example/b.tar.gz","sha256":"${'a'.repeat(64)}","runtime":"python"}\n`;

let running: RunningConsole;
let folder: CeremonyFolder;
beforeAll(async () => {
  running = await startConsole();
  const acme = await addTenant(running, 'acme');
  await publish(running, acme, { 'manifest.json': MANIFEST });
  await addTenant(running, 'globex');
});
afterAll(async () => running[Symbol.asyncDispose]());
beforeEach(async () => {
  folder = await ceremonyFolder();
  return async () => folder[Symbol.asyncDispose]();
});

const newToken = async (slug = 'acme') => running.console.admin.makeEnrolmentToken({ slug });
const enroll = async (args: string[], options: Partial<CommandOptions> = {}): Promise<Ended> =>
  edgeAgent(['enroll', '--config', 'agent.yaml', ...args], { cwd: folder.path, ...options });
const errorOf = (ended: Ended) => (ended.json() as { error: { code: string; message: string } }).error;

/** What a person sees who types `keys` at the prompt: Python has pseudo-terminals, Node has none. */
async function atTerminal(cwd: string, keys: string): Promise<{ code: number; shown: string }> {
  const script = `
import os, pty, sys
pid, terminal = pty.fork()
if pid == 0:
    os.execv(sys.argv[1], [sys.argv[1], sys.argv[2], 'enroll'])
shown, typed = b'', False
while True:
    try: part = os.read(terminal, 4096)
    except OSError: break
    if not part: break
    shown += part
    if not typed and b'token: ' in shown:
        os.write(terminal, sys.argv[3].encode())
        typed = True
sys.stdout.buffer.write(shown)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))`;
  const args = ['-c', script, process.execPath, AGENT_MAIN, keys];
  return new Promise((resolve) => {
    execFile(
      'python3',
      args,
      { cwd, env: { ...process.env, HOME: cwd }, timeout: 15_000 },
      (error, shown) => {
        resolve({ code: error === null ? 0 : Number(error.code), shown });
      },
    );
  });
}

describe('edge-agent enroll', () => {
  it('makes an agent of a machine: credentials for nobody else, the pinned root, and a configuration that holds', async () => {
    const token = await newToken();
    await folder.write('token', `${token}\n`);
    const ended = await enroll(['--token-file', 'token', '--cache-dir', 'cache', '--output', 'json']);
    expect(ended).toMatchObject({ code: 0 });
    const enrolment = ended.json() as Enrolment;
    const credentials = folder.at('credentials');
    expect(enrolment).toEqual({
      agent_id: (await running.console.admin.agents('acme'))[0]?.agent_id,
      tenant: 'acme',
      config: folder.at('agent.yaml'),
      credentials_dir: credentials,
      cache_dir: folder.at('cache'),
      source_url: `${running.url}/git/acme.git`,
    });

    const text = await folder.read('agent.yaml');
    const parsed = parseYaml(text, AgentConfig);
    expect(parsed).toMatchObject({
      kind: 'valid',
      raw: {
        version: 1,
        tenant: 'acme',
        agent_id: enrolment.agent_id,
        saas_url: running.url,
        credentials_dir: './credentials',
        edge_cache_dir: './cache',
        source: { url: enrolment.source_url },
        trust: { root: './credentials/root.jws.json' },
        artifacts: { allow: [`${running.url}/artifacts/acme/`] },
      },
    });
    expect((await stat(credentials)).mode & 0o777).toBe(0o700);
    const modes = (await readdir(credentials)).map(
      async (name) => (await stat(join(credentials, name))).mode & 0o777,
    );
    expect(await Promise.all(modes)).toEqual([0o600, 0o600, 0o600]);
    const root = await readFile(join(credentials, 'root.jws.json'));
    expect(sha256Hex(root)).toBe(decodeJwt<EnrolmentToken>(token).root_sha256);
    const gitToken = (await readFile(join(credentials, 'git-token'), 'utf8')).trim();
    await git(folder.path, 'ls-remote', withBasic(enrolment.source_url, gitToken));
    // the token and what came for it are secrets: nothing of them is on any output, or in the file people look at
    for (const secret of [token, gitToken]) expect(ended.stdout + ended.stderr + text).not.toContain(secret);

    const again = await enroll(['--output', 'json'], { input: token });
    expect(again.json()).toEqual(enrolment);
    expect(await folder.read('agent.yaml')).toBe(text);
    expect(await running.console.admin.agents('acme')).toHaveLength(1);

    // what a person has written since stays, comments too
    const edited = text.replace('version: 1', 'version:   1\nlabels: {ring:   canary}   # by hand');
    await writeFile(folder.at('agent.yaml'), edited);
    const human = await enroll([], { input: token });
    expect(human.code).toBe(0);
    // flows of root need an account: said now, not at the first run
    expect(human.stderr.includes('runs.user')).toBe(process.getuid?.() === 0);
    expect(human.stdout).toContain('edge-agent reconcile');
    expect(await folder.read('agent.yaml')).toBe(edited);
  });

  it('takes no token as an argument, and does not repeat it', async () => {
    const token = await newToken();
    const ended = await enroll([token, '--output', 'json']);
    expect(ended.code).toBe(2);
    expect(errorOf(ended).message).toContain('--token-file');
    expect(ended.stdout + ended.stderr).not.toContain(token.slice(0, 20));
    expect(await readdir(folder.path)).toEqual([]);
  });

  it('shows nothing of a token that is typed at a terminal, and ends at Ctrl-C', async () => {
    const typed = await atTerminal(folder.path, 'typed-token\r');
    expect(typed).toMatchObject({ code: 2 });
    expect(typed.shown).toContain('expected an enrolment token');
    expect(typed.shown).not.toContain('typed-token');
    expect(await atTerminal(folder.path, '\u0003')).toMatchObject({ code: 130 });
    expect(await atTerminal(folder.path, '\u0004')).toMatchObject({ code: 2 });
  });

  it('names the place that is not this folder before it reads the token, and makes nothing there for a wrong one', async () => {
    const elsewhere = await edgeAgent(['enroll'], { cwd: folder.path, input: 'no token\n' });
    expect(elsewhere.code).toBe(2);
    const [first] = elsewhere.stderr.split('\n');
    expect(first).toMatch(/^note: no agent\.yaml here: this writes \S+agent\.yaml; "--config agent\.yaml"/);
    expect(await readdir(folder.path)).toEqual([]);
    const here = await enroll([], { input: 'no token\n' });
    expect(here.stderr).not.toContain('no agent.yaml here');
  });

  it('says that the branch does not exist, in the language of the person, and leaves nothing but the device key', async () => {
    const input = await newToken('globex');
    const french = await enroll(['--output', 'json'], { input, env: { LC_ALL: 'fr_FR.UTF-8' } });
    expect(french.code).toBe(4);
    expect(errorOf(french)).toMatchObject({
      code: 'branch_missing',
      message: 'Branche inexistante — contactez le support.',
    });
    expect(french.stderr).toContain('Branche inexistante — contactez le support.');
    expect(await readdir(folder.path, { recursive: true })).toEqual([
      'credentials',
      join('credentials', 'device.jwk'),
    ]);
    const stays = `stays, for the next try with the same token: ${join(folder.path, 'credentials', 'device.jwk')}`;
    expect(french.stderr).toContain(stays);
    const english = await enroll([], { input });
    expect(english).toMatchObject({ code: 4, stdout: '' });
    expect(english.stderr).not.toContain(stays);
    expect(english.stderr).toContain('tenant/globex does not exist');
    // the branch is made, and the same token and key go on
    await publish(
      running,
      {
        slug: 'globex',
        gitUrl: `${running.url}/git/globex.git`,
        publisherToken: await running.console.admin.newPublisherToken('globex'),
      },
      { 'manifest.json': MANIFEST },
    );
    expect(await enroll([], { input })).toMatchObject({ code: 0 });
    await rm(folder.at('agent.yaml'));
    expect(await enroll([], { input })).toMatchObject({ code: 0 });
  });
});
