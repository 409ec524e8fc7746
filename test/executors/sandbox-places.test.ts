import { spawn } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type Account, chooseAccount } from '../../executors/account.ts';
import { type AgentPlaces, createFlowSandbox } from '../../executors/flow-sandbox.ts';
import { SPEC } from '../contract/executor.ts';
import { SANDBOX_SETTINGS, sandboxMissing } from '../support/sandboxed-flows.ts';

const missing = await sandboxMissing();
const choice = await chooseAccount(SANDBOX_SETTINGS);
const account: Account | null = choice.kind === 'chosen' ? choice.account : null;

describe.skipIf(missing !== null)('what a sandbox shows of the agent’s places', () => {
  let folder: string;
  let places: AgentPlaces;

  beforeEach(() => {
    folder = realpathSync(mkdtempSync(join(tmpdir(), 'sandbox-places-')));
    const at = (...names: string[]) => join(folder, ...names);
    for (const path of ['cache/.agent/runs/1', 'cache/acme/v1', 'deep/agent/credentials'])
      mkdirSync(at(path), { recursive: true });
    places = {
      cache: at('cache'),
      slug: 'acme',
      state: at('cache', '.agent'),
      credentials: at('deep', 'agent', 'credentials'),
      config: at('deep', 'agent', 'agent.yaml'),
      secretFiles: [],
      socket: at('cache', '.agent', 'agent.sock'),
    };
    writeFileSync(places.config, 'version: 1\n');
    writeFileSync(join(places.credentials, 'device.jwk'), 'key');
  });
  afterEach(() => {
    vi.unstubAllEnvs();
    rmSync(folder, { recursive: true, force: true });
  });

  /** What a shell says in the sandbox; all of `folder` belongs to the flow's account. */
  async function said(script: string): Promise<string> {
    own(folder);
    const words = await createFlowSandbox(process.env, () => places).words({
      account,
      request: {
        directory: join(places.cache, 'acme', 'v1'),
        runDirectory: join(places.state, 'runs', '1'),
        spec: SPEC,
      },
      settings: { caFile: null },
      file: '/bin/sh',
      work: join(places.state, 'runs', '1'),
    });
    const [program, ...args] = [...(words ?? []), '/bin/sh', '-c', `exec 2>&1; ${script}`];
    const child = spawn(program, args, {
      cwd: '/',
      env: { PATH: '/usr/bin:/bin' },
      stdio: ['ignore', 'pipe', 'pipe', 'ignore', 'pipe'],
      timeout: 15_000,
      ...(account === null ? {} : { uid: account.uid, gid: account.gid }),
    });
    let out = '';
    child.stdout?.on('data', (chunk: Buffer) => (out += chunk.toString()));
    child.stderr?.on('data', (chunk: Buffer) => (out += chunk.toString()));
    await new Promise((resolve) => child.once('exit', resolve));
    return out;
  }

  function own(path: string): void {
    chmodSync(path, 0o755);
    if (account === null) return;
    for (const each of [path, ...ALL.map((name) => join(folder, name))])
      if (existsSync(each)) chownSync(each, account.uid, account.gid);
  }
  const ALL = [
    'cache',
    'cache/.agent',
    'cache/.agent/runs',
    'cache/.agent/runs/1',
    'cache/acme',
    'cache/acme/v1',
    'deep',
    'deep/agent',
    'deep/agent/agent.yaml',
    'deep/agent/credentials',
    'deep/agent/credentials/device.jwk',
    'elsewhere',
    'elsewhere/token',
  ];

  it('keeps the folders above them where they are, so that the next run finds them to hide', async () => {
    const { credentials } = places;
    const agent = dirname(credentials);
    expect(await said(`mv ${agent} ${agent}-2; mv ${dirname(agent)} ${folder}/else; echo done`)).toContain(
      'done',
    );
    expect(existsSync(credentials)).toBe(true);
    // What lies beside them is as it was.
    expect(
      await said(`echo more > ${agent}/notes && mv ${agent}/notes ${agent}/note && cat ${agent}/note`),
    ).toBe('more\n');
  });

  it('hides a credential that is a link to a file elsewhere', async () => {
    mkdirSync(join(folder, 'elsewhere'));
    writeFileSync(join(folder, 'elsewhere', 'token'), 'git-token-text');
    symlinkSync(join(folder, 'elsewhere', 'token'), join(places.credentials, 'git-token'));
    expect(await said(`cat ${folder}/elsewhere/token; echo read`)).not.toContain('git-token-text');
  });

  it('leaves nothing to be written in the cache beside a home whose name begins alike', async () => {
    vi.stubEnv('HOME', `${places.cache}-home`);
    expect(homedir()).toBe(`${places.cache}-home`);
    expect(await said(`touch ${places.cache}/new; echo done`)).toContain('Read-only');
  });

  it.skipIf(account === null)(
    'says no rather than hide nothing when the account cannot be asked',
    async () => {
      const sandbox = createFlowSandbox(process.env, () => places);
      const run = {
        request: { directory: folder, runDirectory: folder, spec: SPEC },
        settings: { caFile: null },
        file: '/bin/sh',
        work: folder,
      };
      await sandbox.find(account);
      // Nothing can be started as that account, though its sandbox was found to work.
      const lost = { ...(account as Account), gid: 0.5 };
      await expect(sandbox.words({ ...run, account: lost })).rejects.toThrow('expected');
    },
  );
});
