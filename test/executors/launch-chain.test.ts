import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { tryBubblewrap } from '../../executors/bubblewrap.ts';
import { isolationReport } from '../../executors/isolation-report.ts';
import { launchChain } from '../../executors/launch-chain.ts';
import { createPythonExecutor } from '../../executors/python.ts';
import { limitWords, machineLimits } from '../../executors/run-limits.ts';
import { createBench, SPEC, text } from '../contract/executor.ts';

const linux = process.platform === 'linux';

describe('what stands before a flow', () => {
  it('does not hear what the environment of the flow says to a loader or a shell', () => {
    const obeyed = {
      LD_PRELOAD: '/bundle/evil.so',
      LD_LIBRARY_PATH: '/bundle',
      GLIBC_TUNABLES: 'x',
      BASH_ENV: '/bundle/evil.sh',
      'BASH_FUNC_read%%': '() { evil; }',
      ENV: '/bundle/evil.sh',
    };
    const launch = launchChain({ file: '/f', args: ['a'] }, { ...obeyed, CRM_PASSWORD: 'abc' }, [
      '/holder',
      '--',
    ]);
    for (const name of Object.keys(obeyed)) expect(launch.environment).not.toHaveProperty([name]);
    const after = launch.args.slice(launch.args.indexOf('/holder'));
    expect(after.slice(0, 3)).toEqual(['/holder', '--', '/bin/sh']);
    expect(after.slice(-2)).toEqual(['/f', 'a']);
    // A secret is never an argument, which everybody on the machine reads.
    expect(launch.args.join(' ')).not.toContain('abc');
  });

  it('never puts a secret on a command line, whatever its name', () => {
    const secrets = {
      LD_SDK_KEY: 'sdk-0123',
      BASHIR_TOKEN: 'bashir-0123',
      MALLOC_KEY: 'malloc-0123',
      ENV: 'env-0123',
    };
    const launch = launchChain({ file: '/f', args: [] }, secrets, ['/holder'], ['PWD']);
    for (const [name, value] of Object.entries(secrets)) {
      expect(launch.environment).not.toHaveProperty([name]);
      expect(launch.args.join(' ')).not.toContain(value);
      expect(Object.values(launch.environment)).toContain(value);
    }
  });

  it.skipIf(!linux)('starts a program in a folder whose name has an equals sign', () => {
    const folder = mkdtempSync(join(tmpdir(), 'a=b-'));
    const file = join(folder, 'flow');
    writeFileSync(file, '#!/bin/sh\necho "$0 $LD_SDK_KEY ${PWD_WAS-none}"\n', { mode: 0o755 });
    const { args, environment } = launchChain(
      { file, args: [] },
      { LD_SDK_KEY: "a 'b' $c\n%" },
      [],
      ['PWD_WAS'],
    );
    const said = execFileSync(args[3] as string, args.slice(4), {
      env: { ...environment, PWD_WAS: 'here' },
      encoding: 'utf8',
    });
    expect(said).toBe(`${file} a 'b' $c\n% none\n`);
    rmSync(folder, { recursive: true });
  });

  it.skipIf(!linux)('gives all of it to the flow itself', async () => {
    const bench = await createBench({
      create: createPythonExecutor,
      async install(bundle, source) {
        writeFileSync(join(bundle, 'main.py'), source);
        return Promise.resolve('main.py');
      },
    });
    const env = { LD_LIBRARY_PATH: '/nowhere', BASH_ENV: '/nowhere/é "two"', TOKEN: 'x' };
    const source = 'import os; print([os.environ.get(n) for n in ("LD_LIBRARY_PATH", "BASH_ENV", "TOKEN")])';
    const result = await bench.run(source, { spec: { ...SPEC, env } });
    expect(text(result.stdout)).toBe(`['/nowhere', '/nowhere/é "two"', 'x']\n`);
    await bench.dispose();
  });
});

describe('the limits of a run', () => {
  it('are three quarters of the memory that the machine or the container has', () => {
    const gib = 1024 ** 3;
    expect(machineLimits(16 * gib, 0).memoryBytes).toBe(12 * gib);
    expect(machineLimits(16 * gib, undefined).memoryBytes).toBe(12 * gib);
    expect(machineLimits(16 * gib, 4 * gib).memoryBytes).toBe(3 * gib);
    // cgroup v1 says "no limit" by a number larger than any machine.
    expect(machineLimits(16 * gib, 2 ** 63).memoryBytes).toBe(12 * gib);
  });

  it('never ask for more than the agent has itself', () => {
    const limits = { processes: 4_096, memoryBytes: 1_000, openFiles: 65_536 };
    const few = { openFiles: 1_024, processes: 100, data: 500 };
    const much = {
      openFiles: 1_048_576,
      processes: Number.POSITIVE_INFINITY,
      data: Number.POSITIVE_INFINITY,
    };
    const alone = { counts: 'run', bounded: false } as const;
    expect(limitWords('prlimit', limits, alone, few)).toEqual(['prlimit', '--core=0', '--']);
    expect(limitWords('prlimit', limits, alone, much)).toEqual([
      'prlimit',
      '--core=0',
      '--nofile=65536',
      '--nproc=4096',
      '--data=1000',
      '--',
    ]);
    // With the person's own programs; and the group counts memory better.
    expect(limitWords('prlimit', limits, { counts: 'account', bounded: true }, much)).toEqual([
      'prlimit',
      '--core=0',
      '--nofile=65536',
      '--nproc=16384',
      '--',
    ]);
  });
});

describe.skipIf(!linux)('the report of what holds flows', () => {
  const folder = mkdtempSync(join(tmpdir(), 'isolation-report-'));
  afterAll(() => {
    rmSync(folder, { recursive: true, force: true });
  });
  const groups = () =>
    execFileSync('find', ['/sys/fs/cgroup', '-maxdepth', '4', '-name', '*isolation-report*'], {
      encoding: 'utf8',
    });

  it('says of every layer whether it is reached, and what to do when it is not', async () => {
    const { level, layers } = await isolationReport({ user: 'nobody', allowRoot: false });
    expect(layers.map(({ name }) => name)).toEqual([
      'account',
      'sandbox',
      'privileges',
      'processes',
      'limits',
    ]);
    for (const { reached, found, advice } of layers) {
      expect(found).not.toBe('');
      expect(reached && advice !== null).toBe(false);
    }
    expect(layers.find(({ name }) => name === 'sandbox')?.reached).toBe(level.includes('bubblewrap'));
    expect(groups()).toBe('');
  });

  it('names why there is no sandbox: turned off, for root, or a bubblewrap that does not work', async () => {
    const settings = { user: null, allowRoot: true };
    const sandbox = async (machine: NodeJS.ProcessEnv) =>
      (await isolationReport(settings, machine)).layers.find(({ name }) => name === 'sandbox');
    expect((await sandbox({ ...process.env, EDGE_AGENT_SANDBOX: 'off' }))?.found).toContain(
      'EDGE_AGENT_SANDBOX=off',
    );
    const bwrap = join(folder, 'bwrap');
    writeFileSync(bwrap, '#!/bin/sh\necho "setting up uid map: Permission denied" >&2\nexit 1\n');
    chmodSync(bwrap, 0o755);
    expect(await tryBubblewrap(bwrap, null)).toMatchObject({
      kind: 'unusable',
      found: `${bwrap} is here and does not work: setting up uid map: Permission denied`,
      advice: expect.stringContaining('user namespaces'),
    });
  });

  it.skipIf(process.getuid?.() !== 0)('gives no sandbox to flows of root', async () => {
    const { layers } = await isolationReport({ user: null, allowRoot: true });
    expect(layers[1]).toMatchObject({ name: 'sandbox', reached: false });
    expect(layers[1]?.found).toContain('flows run as root');
  });

  it.skipIf(process.getuid?.() !== 0)(
    'is `refused` for an agent that is root and knows no account for flows',
    async () => {
      const { level, layers } = await isolationReport({ user: null, allowRoot: false });
      expect(level).toBe('refused');
      expect(layers[0]).toMatchObject({ reached: false, found: expect.stringContaining('runs.user') });
    },
  );
});
