import { execFile } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mountedAt, ownCgroup } from '../../executors/cgroup.ts';
import type { RunLimits } from '../../executors/run-limits.ts';
import type { RunRequest } from '../../reconciler/ports.ts';
import { SETTINGS, SPEC } from '../contract/executor.ts';
import { type FlowAccount, makeFlowAccount } from '../support/flow-account.ts';
import type { FlowAgentAnswer, FlowAgentOrder } from '../support/flow-agent.ts';
import { FLOW_ATTEMPTS } from '../support/flow-attempts.ts';
import { sandboxMissing } from '../support/sandboxed-flows.ts';

const AGENT = fileURLToPath(new URL('../support/flow-agent.ts', import.meta.url));
const root = process.getuid?.() === 0;
const linux = process.platform === 'linux';

interface Level {
  /** As `status.isolation` says it. */
  readonly name: string;
  /** Whether the agent is root and flows another account's. */
  readonly user: boolean;
  readonly sandbox: boolean;
  readonly cgroup: boolean;
}

const LEVELS: readonly Level[] = [
  { name: 'process-group', user: false, sandbox: false, cgroup: false },
  { name: 'cgroup', user: false, sandbox: false, cgroup: true },
  { name: 'bubblewrap+process-group', user: false, sandbox: true, cgroup: false },
  { name: 'bubblewrap+cgroup', user: false, sandbox: true, cgroup: true },
  { name: 'user+process-group', user: true, sandbox: false, cgroup: false },
  { name: 'user+cgroup', user: true, sandbox: false, cgroup: true },
  { name: 'user+bubblewrap+cgroup', user: true, sandbox: true, cgroup: true },
];

/** Lines of the table that the other two tests try. */
const BY_OTHERS = ['hide a process that outlives it', 'take all processes, or all memory'];

/** What comes of every attempt, level by level: the table of docs/spec/run.md. */
const EXPECTED = readTable();

describe.skipIf(!linux)('what a flow tries', () => {
  let account: FlowAccount | null = null;
  let delegated: string | null = null;
  let noSandbox: string | null = null;

  beforeAll(async () => {
    noSandbox = await sandboxMissing();
    if (!root) return;
    account = makeFlowAccount();
    delegated = account === null ? null : delegateCgroup(account);
  });
  afterAll(() => {
    for (const each of delegated === null ? [] : [join(delegated, 'edge-agent'), delegated]) rmdirSync(each);
    account?.remove();
  });

  /** Why a level cannot be had here, said among the skipped parts. */
  function missing(level: Level): string | null {
    if (level.user && !root) return 'agents of root';
    if (level.sandbox && noSandbox !== null) return `bubblewrap (${noSandbox})`;
    if (root && account === null) return 'an account made by useradd';
    if (level.cgroup && (level.user ? ownCgroup() : root ? delegated : ownCgroup()) === null)
      return 'a writable cgroup';
    if (root && !level.user && !readableByOthers()) return 'a checkout that other accounts can read';
    return null;
  }

  for (const level of LEVELS) {
    describe(`at the level ${level.name}`, () => {
      let place: Place;
      beforeAll(() => {
        place = layOut(level.user ? null : account);
      });
      afterAll(async () => {
        await place.dispose();
      });

      it('ends as docs/spec/run.md says', async (test) => {
        const why = missing(level);
        if (why !== null) return skipLoudly(test, why);
        const answer = await run(level, FLOW_ATTEMPTS, { neighbour: true });
        expect(answer).toMatchObject({ status: 'succeeded', stderr: '' });
        const found = JSON.parse(answer.stdout) as Record<string, string>;
        // Where no group is there is none to leave.
        if (!level.cgroup)
          found['leave its cgroup'] = EXPECTED.get('leave its cgroup')?.get(level.name) as string;
        const expected = [...EXPECTED]
          .filter(([attempt]) => !BY_OTHERS.includes(attempt))
          .map(([attempt, levels]) => [attempt, levels.get(level.name)]);
        expect(found).toEqual(Object.fromEntries(expected));
      });

      it('leaves no process behind, whatever it does to hide one', async (test) => {
        const why = missing(level);
        if (why !== null) return skipLoudly(test, why);
        const answer = await run(level, HIDERS);
        expect(answer).toMatchObject({ status: 'succeeded', stderr: '' });
        const hides = EXPECTED.get('hide a process that outlives it')?.get(level.name) === 'yes';
        expect(hidden('edge-hider')).toEqual(hides ? ['wiped'] : []);
        for (const pid of pidsOf('edge-hider')) process.kill(pid, 'SIGKILL');
      });

      it('is stopped from forking and allocating without end', async (test) => {
        const why = missing(level);
        if (why !== null) return skipLoudly(test, why);
        const limits: RunLimits = { processes: 80, memoryBytes: 300 * 1024 * 1024, openFiles: 512 };
        const answer = await run(level, GREEDY, { limits });
        expect(heldBy(answer, limits)).toBe('held');
      });

      async function run(
        at: Level,
        source: string,
        { neighbour = false, limits = null }: { neighbour?: boolean; limits?: RunLimits | null } = {},
      ): Promise<FlowAgentAnswer> {
        place.install(source);
        const runs = join(place.folder, '.agent', 'runs');
        const request = (runId: string, env: Record<string, string>): RunRequest => ({
          spec: { ...SPEC, env },
          directory: place.bundle,
          entrypoint: 'main.py',
          runId,
          attempt: 1,
          tenant: 'acme',
          version: 'v1',
          runDirectory: join(runs, runId, '1'),
          input: {},
          timeoutMs: 40_000,
          secrets: {},
          traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
        });
        const order: FlowAgentOrder = {
          folder: place.folder,
          sandbox: at.sandbox,
          cgroup: at.cgroup,
          settings: {
            ...SETTINGS,
            allowRoot: false,
            user: at.user ? (account?.name ?? null) : null,
            maxOutput: 1024 * 1024,
            python: {
              interpreter: existsSync('/usr/bin/python3') ? '/usr/bin/python3' : 'auto',
              minVersion: '3.8',
              installer: 'auto',
            },
          },
          request: request(`trier-${process.pid}-${place.runs++}`, {
            AT: place.folder,
            CGROUPS: mountedAt(readFileSync('/proc/self/mountinfo', 'utf8'), '0::/') ?? '/nowhere',
          }),
          neighbour: neighbour
            ? {
                ...request('other', { NEIGHBOUR_KEY: 'abc' }),
                entrypoint: 'neighbour.py',
              }
            : null,
          limits,
        };
        return startAgent(order, at.user ? null : account, at.cgroup && !at.user ? delegated : null);
      }
    });
  }
});

interface Place {
  readonly folder: string;
  readonly bundle: string;
  runs: number;
  install(source: string): void;
  dispose(): Promise<void>;
}

/** An `edge_cache_dir` as an agent of that account (null: this process's) leaves it. */
function layOut(owner: { uid: number; gid: number } | null): Place {
  const folder = mkdtempSync(join(tmpdir(), 'flow-tries-'));
  chmodSync(folder, 0o711);
  const bundle = join(folder, 'acme', 'v1');
  const file = (path: string, content: string, mode = 0o600) => {
    mkdirSync(join(folder, path, '..'), { recursive: true, mode: 0o755 });
    writeFileSync(join(folder, path), content);
    chmodSync(join(folder, path), mode);
  };
  file('credentials/device.jwk', 'PRIVATE');
  chmodSync(join(folder, 'credentials'), 0o700);
  file('tunnel-token', 'PRIVATE');
  file('agent.yaml', 'version: 1\n', 0o644);
  file('.agent/agent.db', 'rows');
  file('.agent/envs/python/lib.py', '', 0o444);
  file('globex/v1/main.py', 'print(1)\n', 0o444);
  file('globex/current.json', '{}');
  file('acme/current.json', '{}', 0o600);
  file('acme/v1/main.py', '', 0o444);
  file('acme/v1/neighbour.py', NEIGHBOUR, 0o444);
  for (const path of ['.agent', '.agent/runs']) {
    mkdirSync(join(folder, path), { recursive: true });
    chmodSync(join(folder, path), 0o711);
  }
  // Other tenants are closed to flows by an agent that starts.
  chmodSync(join(folder, 'globex'), 0o700);
  const server: Server = createServer().listen(join(folder, '.agent', 'agent.sock'));
  server.unref();
  const hand = (path: string): void => {
    if (owner === null) return;
    chownSync(path, owner.uid, owner.gid);
    if (lstatSync(path).isDirectory()) for (const name of readdirSync(path)) hand(join(path, name));
  };
  const ready = new Promise<void>((resolve) =>
    server.once('listening', () => {
      chmodSync(join(folder, '.agent', 'agent.sock'), 0o600);
      hand(folder);
      resolve();
    }),
  );
  return {
    folder,
    bundle,
    runs: 0,
    install(source) {
      chmodSync(join(bundle, 'main.py'), 0o644);
      writeFileSync(join(bundle, 'main.py'), source);
      chmodSync(join(bundle, 'main.py'), 0o444);
    },
    async dispose() {
      await ready;
      server.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

const NEIGHBOUR = `
import time
open("kept", "w").write("theirs")
print("there", flush=True)
time.sleep(60)
`;

/** Daemons of every kind, then its own end. The last has no session, no parent and no environment in common with the run. */
const HIDERS = `
import os, sys, time
def hide(kind, wiped):
    if os.fork(): return
    os.setsid()
    if os.fork(): os._exit(0)
    null = os.open("/dev/null", os.O_RDWR)
    for fd in (0, 1, 2): os.dup2(null, fd)
    argv = ["python3", "-c", "import time; time.sleep(50)", "edge-hider-" + kind]
    os.execve("/usr/bin/python3", argv, {} if wiped else dict(os.environ))
hide("daemon", False)
hide("wiped", True)
if os.fork() == 0:
    os.execve("/usr/bin/python3", ["python3", "-c", "import time; time.sleep(50)", "edge-hider-child"], dict(os.environ))
deadline = time.time() + 20
def there():
    found = 0
    for pid in os.listdir("/proc"):
        try: found += b"edge-hider-" in open("/proc/" + pid + "/cmdline", "rb").read() and pid.isdigit()
        except OSError: pass
    return found
while there() < 3 and time.time() < deadline: time.sleep(0.02)
`;

const GREEDY = `
import json, mmap, os, resource, signal, time
children = []
try:
    while len(children) < 2000:
        pid = os.fork()
        if pid == 0:
            time.sleep(60); os._exit(0)
        children.append(pid)
except OSError: pass
forked = len(children)
for pid in children: os.kill(pid, signal.SIGKILL)
for pid in children: os.waitpid(pid, 0)
files = []
try:
    while len(files) < 5000: files.append(os.open("/dev/null", os.O_RDONLY))
except OSError: pass
for fd in files: os.close(fd)
kept = []
try:
    while len(kept) < 1000:
        kept.append(bytearray(b"x" * 1048576))
except MemoryError: pass
allocated = len(kept)
kept.clear()
print(json.dumps(dict(forked=forked, allocated=allocated, opened=len(files))))
`;

/** The kernel ends a run whose group takes too much memory; without a group, a process is told that there is no more. */
function heldBy(answer: FlowAgentAnswer, limits: RunLimits): string {
  if (answer.status !== 'succeeded')
    return answer.reason?.includes('SIGKILL') === true ? 'held' : JSON.stringify(answer);
  const { forked, allocated, opened } = JSON.parse(answer.stdout) as Record<
    'forked' | 'allocated' | 'opened',
    number
  >;
  const held = forked > 20 && forked < 4 * limits.processes && allocated < 400 && opened < limits.openFiles;
  return held ? 'held' : answer.stdout;
}

function startAgent(
  order: FlowAgentOrder,
  as: { uid: number; gid: number } | null,
  cgroup: string | null,
): Promise<FlowAgentAnswer> {
  const enter = cgroup === null ? '' : `echo $$ > '${cgroup}/edge-agent/cgroup.procs' || exit 9; `;
  const drop = as === null ? '' : `setpriv --reuid=${as.uid} --regid=${as.gid} --clear-groups `;
  const command = `${enter}exec ${drop}"$@"`;
  return new Promise((resolve, reject) => {
    execFile(
      '/bin/sh',
      ['-c', command, 'sh', process.execPath, AGENT, JSON.stringify(order)],
      {
        cwd: '/',
        env: {
          PATH: '/usr/local/bin:/usr/bin:/bin',
          AGENT_KEY: 'PRIVATE',
          PYTHONSTARTUP: '/nowhere',
          PYTHONPATH: '/nowhere',
          NODE_OPTIONS: '',
        },
        timeout: 55_000,
      },
      (error, stdout, stderr) =>
        error === null
          ? resolve(JSON.parse(stdout) as FlowAgentAnswer)
          : reject(new Error(`${error.message}\n${stderr}`)),
    );
  });
}

/** A group that belongs to the account, with a leaf for its agent: what systemd hands to a service with `Delegate=yes`. */
function delegateCgroup({ uid, gid }: { uid: number; gid: number }): string | null {
  const own = ownCgroup();
  if (own === null) return null;
  const folder = join(own, `edge-test-${process.pid}`);
  mkdirSync(join(folder, 'edge-agent'), { recursive: true });
  for (const each of [folder, join(folder, 'edge-agent')])
    for (const path of [each, join(each, 'cgroup.procs'), join(each, 'cgroup.subtree_control')])
      chownSync(path, uid, gid);
  return folder;
}

/** Living processes of this machine whose command line names it. */
function pidsOf(name: string): number[] {
  return commandLines(name).map(({ pid }) => pid);
}

function hidden(name: string): string[] {
  return commandLines(name).map(({ command }) => command.split(`${name}-`)[1]?.replaceAll('\0', '') ?? '');
}

function commandLines(name: string): { pid: number; command: string }[] {
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .flatMap((pid) => {
      try {
        const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
        return command.includes(`${name}-`) && !command.includes('flow-agent')
          ? [{ pid: Number(pid), command }]
          : [];
      } catch {
        return [];
      }
    });
}

function readableByOthers(): boolean {
  for (let at = AGENT; at !== '/'; at = join(at, '..')) {
    const { mode } = lstatSync(at);
    if ((mode & (lstatSync(at).isDirectory() ? 0o001 : 0o004)) === 0) return false;
  }
  return true;
}

function skipLoudly(test: { skip: (note: string) => void }, why: string): void {
  const notes = process.env['EDGE_AGENT_SKIPPED_PARTS'];
  if (notes !== undefined) appendFileSync(notes, `${why} (to see what a flow tries)\n`);
  test.skip(why);
}

/** The table « What a flow tries » of docs/spec/run.md: attempt → level → `yes` or `no`. */
function readTable(): Map<string, Map<string, string>> {
  const page = readFileSync(new URL('../../docs/spec/run.md', import.meta.url), 'utf8');
  const lines = page.split('\n');
  const head = lines.findIndex((line) => line.startsWith('| can a flow …'));
  const cells = (line: string) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim().replaceAll('`', ''));
  const levels = cells(lines[head] ?? '').slice(1);
  const table = new Map<string, Map<string, string>>();
  for (const line of lines.slice(head + 2)) {
    if (!line.startsWith('|')) break;
    const [attempt, ...answers] = cells(line);
    table.set(attempt as string, new Map(levels.map((level, index) => [level, answers[index] as string])));
  }
  if (table.size < 25) throw new Error(`expected the table of what a flow tries, found ${table.size} lines`);
  return table;
}
