import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ownCgroup } from '../../executors/cgroup.ts';
import type { ProcessDependencies } from '../../executors/process.ts';
import { listProcesses, processStartToken } from '../../executors/process-table.ts';
import type { Executor, RunRequest, RunResult, RunSettings } from '../../reconciler/ports.ts';
import type { FlowSpec } from '../../schemas/flow-spec.ts';
import { createSystemClock } from '../../system/clock.ts';

export interface ExecutorUnderTest {
  readonly create: (deps: ProcessDependencies) => Executor;
  /** Puts a flow written in Python into the bundle; its entrypoint. */
  readonly install: (bundle: string, source: string) => Promise<string>;
  /** Variables that this executor gives beside those of every run. */
  readonly adds?: readonly string[];
}

export interface Bench {
  readonly folder: string;
  readonly settings: RunSettings;
  /** Runs a flow written in Python to its end. */
  run(source: string, change?: Partial<RunRequest>, settings?: Partial<RunSettings>): Promise<RunResult>;
  begin(
    source: string,
    change?: Partial<RunRequest>,
    settings?: Partial<RunSettings>,
  ): ReturnType<Executor['start']>;
  readonly runDirectory: string;
  dispose(): Promise<void>;
}

export const SPEC: FlowSpec = {
  id: 'invoice-bot',
  version: 'v1.0.7',
  edge_url: 'https://minio.example/edge/pkg.tar.gz',
  sha256: '0'.repeat(64),
  size: null,
  runtime: 'python',
  cpu_arch: 'any',
  entrypoint: null,
  args: [],
  schedule: null,
  timeout: null,
  lock: null,
  overlap: 'queue',
  missed: 'skip',
  retries: 0,
  env: {},
  secrets: [],
  depends_on: [],
  targets: {},
  health: null,
  service: null,
  layout: 'flows',
};

export const SETTINGS: RunSettings = {
  concurrency: 2,
  defaultTimeoutMs: 60_000,
  graceMs: 300,
  maxOutput: 1024 * 1024,
  allowRoot: true,
  user: null,
  env: {},
  timezone: null,
  proxy: null,
  caFile: null,
  python: { interpreter: 'auto', minVersion: '3.8', installer: 'auto' },
  playwright: { browser: 'auto' },
};

/** What the executor is built with beside the usual, known once there is a folder. */
export type BenchDependencies =
  | Partial<ProcessDependencies>
  | ((folder: string) => Partial<ProcessDependencies>);

let count = 0;

/** A temporary folder with a bundle and a run in it, and an executor over real processes. */
export async function createBench(
  subject: ExecutorUnderTest,
  deps: BenchDependencies = {},
  always: Partial<RunSettings> = {},
): Promise<Bench> {
  const folder = await mkdtemp(join(tmpdir(), 'executor-'));
  await chmod(folder, 0o711);
  const bundle = join(folder, 'bundle');
  await mkdir(bundle, { mode: 0o755 });
  const executor = subject.create({
    clock: createSystemClock(),
    environment: process.env,
    cgroup: ownCgroup,
    ...(typeof deps === 'function' ? deps(folder) : deps),
  });
  const runId = `run-${process.pid}-${Date.now()}-${count++}`;
  const runDirectory = join(folder, 'runs', runId, '1');
  const begin: Bench['begin'] = async (source, change = {}, settings = {}) => {
    const entrypoint = await subject.install(bundle, source);
    const request: RunRequest = {
      spec: SPEC,
      directory: bundle,
      entrypoint,
      runId,
      attempt: 1,
      tenant: 'acme',
      version: 'v1.0.7',
      runDirectory,
      input: { invoice: 7 },
      timeoutMs: 20_000,
      secrets: {},
      traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
      ...change,
    };
    return executor.start(request, { ...SETTINGS, ...always, ...settings });
  };
  return {
    folder,
    settings: { ...SETTINGS, ...always },
    runDirectory,
    begin,
    run: async (source, change, settings) => (await begin(source, change, settings)).done,
    async dispose() {
      await rm(folder, { recursive: true, force: true });
    },
  };
}

export const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('utf8');

/** Living processes that are no zombies. */
export async function alive(pids: readonly number[]): Promise<number[]> {
  const tokens = await Promise.all(
    pids.map(async (pid) => ((await processStartToken(pid)) === null ? [] : [pid])),
  );
  return tokens.flat();
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

async function until(condition: () => boolean | Promise<boolean>, limitMs = 5_000): Promise<void> {
  const end = performance.now() + limitMs;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`expected it within ${limitMs} ms: ${condition.toString()}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** 50 processes: in the group, in sessions of their own, and daemons whose parents have ended. Prints their pids, one a line. */
export const MANY_CHILDREN = `
import os, signal, sys, time
def sleeper(detach, orphan):
    if os.fork(): return
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if detach: os.setsid()
    if orphan and os.fork(): os._exit(0)
    os.write(1, b"%d\\n" % os.getpid())
    open(os.environ["TMPDIR"] + "/there-%d" % os.getpid(), "w").close()
    time.sleep(60)
    os._exit(0)
for index in range(50): sleeper(index % 3 > 0, index % 3 > 1)
while len(os.listdir(os.environ["TMPDIR"])) < 50: time.sleep(0.01)
`;

/** Living processes that carry the id of a run, as this machine numbers them: in a sandbox they have numbers of their own. */
export async function markedBy(runDirectory: string): Promise<number[]> {
  const found = await listProcesses(`EDGE_RUN_ID=${runDirectory.split('/').at(-2)}`);
  return found.flatMap(({ pid, marked, zombie }) => (marked && !zombie ? [pid] : []));
}

/** What every executor does with a flow, whatever runs it (contract, section 6). */
export function executorContract(
  name: string,
  subject: ExecutorUnderTest,
  deps: BenchDependencies = {},
  always: Partial<RunSettings> = {},
): void {
  describe(`${name}, by contract`, () => {
    let bench: Bench;
    beforeEach(async () => {
      bench = await createBench(subject, deps, always);
    });
    afterEach(async () => {
      await bench.dispose();
    });

    it('gives the flow the allow-list as environment and nothing else', async () => {
      process.env['AGENT_INTERNAL'] = 'not for flows';
      const result = await bench.run('import os, json; print(json.dumps(dict(os.environ)))', {
        spec: { ...SPEC, env: { LOCALE: 'fr-FR' }, secrets: ['CRM_PASSWORD'] },
        secrets: { CRM_PASSWORD: 'abc', OTHER: 'of another flow' },
      });
      delete process.env['AGENT_INTERNAL'];
      const passed = [
        'PATH',
        'LANG',
        'LC_ALL',
        'TZ',
        ...['HTTPS_PROXY', 'HTTP_PROXY', 'ALL_PROXY', 'NO_PROXY'].flatMap((key) => [key, key.toLowerCase()]),
        'SSL_CERT_FILE',
        'SSL_CERT_DIR',
        'REQUESTS_CA_BUNDLE',
        'NODE_EXTRA_CA_CERTS',
        'CURL_CA_BUNDLE',
      ];
      const machine = Object.fromEntries(
        passed.flatMap((key) => (process.env[key] === undefined ? [] : [[key, process.env[key]]])),
      );
      const found = JSON.parse(text(result.stdout)) as Record<string, string>;
      // Python itself sets LC_CTYPE where no locale is set (PEP 538); bash as /bin/sh sets `_`.
      delete found['LC_CTYPE'];
      delete found['_'];
      for (const name of subject.adds ?? []) {
        expect(Object.keys(found)).toContain(name);
        delete found[name];
      }
      const runDirectory = bench.runDirectory;
      expect(found).toEqual({
        ...machine,
        HOME: join(runDirectory, 'home'),
        TMPDIR: join(runDirectory, 'tmp'),
        PYTHONUTF8: '1',
        PYTHONDONTWRITEBYTECODE: '1',
        LOCALE: 'fr-FR',
        CRM_PASSWORD: 'abc',
        EDGE_RUN_ID: runDirectory.split('/').at(-2),
        EDGE_ATTEMPT: '1',
        EDGE_FLOW: 'invoice-bot',
        EDGE_VERSION: 'v1.0.7',
        EDGE_TENANT: 'acme',
        EDGE_BUNDLE_DIR: join(bench.folder, 'bundle'),
        EDGE_INPUT: join(runDirectory, 'input.json'),
        EDGE_OUTPUT_DIR: join(runDirectory, 'output'),
        TRACEPARENT: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
      });
    });

    it('lets runs.env, the flow and its secrets win in that order, and EDGE_* over all', async () => {
      const result = await bench.run(
        'import os; print(*[os.environ[k] for k in ("A", "B", "C", "EDGE_TENANT", "TZ", "HTTPS_PROXY", "CURL_CA_BUNDLE")])',
        {
          spec: { ...SPEC, env: { B: 'flow', C: 'flow', EDGE_TENANT: 'evil' }, secrets: ['C'] },
          secrets: { C: 'key' },
        },
        {
          env: { A: 'runs', B: 'runs', C: 'runs', EDGE_TENANT: 'evil' },
          timezone: 'Europe/Paris',
          proxy: 'http://proxy.example:3128',
          caFile: '/etc/ssl/own.pem',
        },
      );
      expect(text(result.stdout)).toBe(
        'runs flow key acme Europe/Paris http://proxy.example:3128 /etc/ssl/own.pem\n',
      );
    });

    it('runs in a fresh folder of mode 0700 with its input, and nothing to read from', async () => {
      const result = await bench.run(
        `import os, sys, json
print(json.dumps([os.getcwd(), os.listdir("."), oct(os.stat(".").st_mode & 0o777), sys.stdin.read(), json.load(open(os.environ["EDGE_INPUT"]))]))`,
      );
      const work = join(bench.runDirectory, 'work');
      expect(JSON.parse(text(result.stdout))).toEqual([work, [], '0o700', '', { invoice: 7 }]);
      expect(result).toMatchObject({ status: 'succeeded', exitCode: 0, reason: null });
    });

    it('writes {} as input when there is none', async () => {
      const result = await bench.run('import os; print(open(os.environ["EDGE_INPUT"]).read(), end="")', {
        input: undefined,
      });
      expect(text(result.stdout)).toBe('{}\n');
    });

    it('calls the absolute entrypoint with the flow’s arguments, or with those of the request', async () => {
      const source = 'import os, sys; print(os.path.isabs(sys.argv[0]), sys.argv[1:])';
      const spec = { ...SPEC, args: ['--fast', 'two words', '$HOME; "\''] };
      const result = await bench.run(source, { spec });
      expect(text(result.stdout)).toBe(`True ['--fast', 'two words', '$HOME; "\\'']\n`);
      const check = await bench.run(source, { spec, args: ['--self-test'] });
      expect(text(check.stdout)).toBe("True ['--self-test']\n");
    });

    it.each([
      ['import sys; sys.exit(3)', 3, 'exit code 3'],
      ['import os, signal; os.kill(os.getpid(), signal.SIGSEGV)', null, 'ended by SIGSEGV'],
    ])('names how a flow failed: %s', async (source, exitCode, reason) => {
      expect(await bench.run(source)).toMatchObject({ status: 'failed', exitCode, reason });
    });

    it('keeps secrets out of output, log and names, also encoded and in pieces', async () => {
      const secret = 'pa$$w/rd "é" 42';
      const result = await bench.run(
        `import base64, os, sys, time, urllib.parse
s = os.environ["TOKEN"]
for piece in s: sys.stdout.write(piece); sys.stdout.flush()
print("|", base64.b64encode(b"x" + s.encode()).decode(), "|", urllib.parse.quote(s), file=sys.stderr)
open(os.environ["EDGE_OUTPUT_DIR"] + "/" + urllib.parse.quote_plus(s), "w").close()`,
        { spec: { ...SPEC, secrets: ['TOKEN'] }, secrets: { TOKEN: secret } },
      );
      expect(text(result.stdout)).toBe('[redacted]');
      expect(text(result.stderr)).toMatch(/^\| .{0,2}\[redacted\].{0,3} \| \[redacted\]\n$/);
      expect(result.outputs[0]?.name).toBe('[redacted]');
      for (const name of ['stdout', 'stderr'] as const) {
        expect(await readFile(join(bench.runDirectory, `${name}.log`), 'utf8')).toBe(text(result[name]));
      }
    });

    it('does not start a flow whose secret is missing, and names it', async () => {
      const handle = await bench.begin('print(1)', { spec: { ...SPEC, secrets: ['CRM_PASSWORD'] } });
      expect(handle.process).toBeNull();
      expect(await handle.done).toMatchObject({
        status: 'failed',
        reason: expect.stringContaining('CRM_PASSWORD'),
      });
      expect(existsSync(bench.runDirectory)).toBe(false);
    });

    it('shows the output while the flow runs, and tells its process from a later one of the same pid', async () => {
      const handle = await bench.begin('import time; print("first", flush=True); time.sleep(30)');
      const log = join(bench.runDirectory, 'stdout.log');
      await until(async () => (await readFile(log, 'utf8')) === 'first\n');
      expect((await stat(log)).mode & 0o777).toBe(0o600);
      const { pid, started } = handle.process as { pid: number; started: string };
      expect(await processStartToken(pid)).toBe(started);
      expect(await processStartToken(process.pid)).not.toBe(started);
      handle.cancel();
      await handle.done;
      expect(await processStartToken(pid)).toBeNull();
    });

    it('interrupts a flow at its timeout and lets it end by itself', async () => {
      const result = await bench.run(
        `import signal, sys, time
def stop(*_): print("tidied"); sys.exit(0)
signal.signal(signal.SIGINT, stop)
print("ready", flush=True); time.sleep(30)`,
        { timeoutMs: 700 },
        { graceMs: 10_000 },
      );
      expect(text(result.stdout)).toBe('ready\ntidied\n');
      expect(result).toMatchObject({ status: 'timed_out', exitCode: 0 });
      expect(result.reason).toBe('timed out after 700ms; it ended when interrupted');
    });

    it('kills a flow that does not heed the interrupt when the grace is over', async () => {
      const handle = await bench.begin(
        'import signal, time; signal.signal(signal.SIGINT, signal.SIG_IGN); print(1, flush=True); time.sleep(30)',
      );
      await until(async () => (await readFile(join(bench.runDirectory, 'stdout.log'), 'utf8')) !== '');
      const asked = performance.now();
      handle.cancel();
      handle.cancel();
      const result = await handle.done;
      expect(performance.now() - asked).toBeGreaterThan(290);
      expect(performance.now() - asked).toBeLessThan(3_000);
      expect(result).toMatchObject({ status: 'cancelled', exitCode: null });
      expect(result.reason).toBe('cancelled; killed, as it did not end within 300ms of the interrupt');
      handle.cancel();
    });

    it('hashes no terabytes that a flow left behind once somebody cancels the run', async () => {
      const handle = await bench.begin(
        'import os; open(os.environ["EDGE_OUTPUT_DIR"] + "/sparse", "wb").truncate(1 << 43); print(1)',
      );
      const pid = handle.process?.pid ?? 0;
      await until(() => !isAlive(pid), 30_000);
      handle.cancel();
      const result = await handle.done;
      expect(result).toMatchObject({ status: 'succeeded', exitCode: 0, outputs: [] });
      expect(result.reason).toContain('not all outputs are listed');
    });

    it('ends all 50 children, sessions and daemons among them, when the flow is killed', async () => {
      const handle = await bench.begin(`${MANY_CHILDREN}
signal.signal(signal.SIGINT, signal.SIG_IGN)
print("all", flush=True)
time.sleep(60)`);
      const log = join(bench.runDirectory, 'stdout.log');
      await until(async () => (await readFile(log, 'utf8')).includes('all'), 30_000);
      handle.cancel();
      const result = await handle.done;
      const pids = text(result.stdout).split('\n').filter(Boolean).map(Number).filter(Number.isInteger);
      expect(pids).toHaveLength(50);
      expect(await markedBy(bench.runDirectory)).toEqual([]);
      expect(result.status).toBe('cancelled');
    });

    it('ends what a flow leaves running, and does not wait for who holds its output', async () => {
      const started = performance.now();
      const result = await bench.run(`${MANY_CHILDREN}\nprint("done")`);
      const pids = text(result.stdout)
        .split('\n')
        .map(Number)
        .filter((pid) => pid > 0);
      expect(result.status).toBe('succeeded');
      expect(pids).toHaveLength(50);
      expect(await markedBy(bench.runDirectory)).toEqual([]);
      expect(performance.now() - started).toBeLessThan(10_000);
    });

    it('lists the files left in EDGE_OUTPUT_DIR, without links', async () => {
      const result = await bench.run(
        `import os
os.chdir(os.environ["EDGE_OUTPUT_DIR"])
os.makedirs("2026/été"); open("2026/été/a.csv", "w").write("1;2"); open("b", "w").close()
os.symlink("/etc/passwd", "link"); os.symlink("/etc", "folder"); os.mkfifo("pipe")`,
      );
      const sha256 = (content: string) => createHash('sha256').update(content).digest('hex');
      expect(result.outputs).toEqual([
        { name: '2026/été/a.csv', size: 3, sha256: sha256('1;2') },
        { name: 'b', size: 0, sha256: sha256('') },
      ]);
    });

    it('keeps the first max_output bytes of each stream and counts the rest', async () => {
      const result = await bench.run(
        'import sys; sys.stdout.write("a" * 1500); sys.stderr.write("b" * 5_000_000)',
        {},
        { maxOutput: 1_000 },
      );
      expect(text(result.stdout)).toBe('a'.repeat(1_000));
      expect(text(result.stderr)).toBe('b'.repeat(1_000));
      expect(result.truncated).toEqual({ stdout: 500, stderr: 4_999_000 });
    });

    it('passes bytes that are no UTF-8 as they are', async () => {
      const result = await bench.run('import sys; sys.stdout.buffer.write(b"\\xff\\x00caf\\xc3\\xa9\\xc3")');
      expect(Buffer.from(result.stdout).toString('hex')).toBe('ff00636166c3a9c3');
    });

    it('runs from a bundle that nobody may write to', async () => {
      const bundle = join(bench.folder, 'bundle');
      const handle = await bench.begin('import time; time.sleep(0.3); print("ran")');
      await chmod(bundle, 0o555);
      const result = await handle.done;
      expect(text(result.stdout)).toBe('ran\n');
      await chmod(bundle, 0o755);
    });

    it('says in the result when the run’s folder cannot be made', async () => {
      const handle = await bench.begin('print(1)', { runDirectory: join(bench.folder, 'bundle', 'x\0y') });
      expect(handle.process).toBeNull();
      expect(await handle.done).toMatchObject({ status: 'failed', exitCode: null });
    });
  });
}
