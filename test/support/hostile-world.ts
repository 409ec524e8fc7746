import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join, relative } from 'node:path';
import { createControlClient } from '../../agent/control-client.ts';
import type { AgentOperations, ReconcileAnswer } from '../../agent/operations.ts';
import { socketPath } from '../../agent/paths.ts';
import { AGENT_MAIN } from './agent-program.ts';
import { type Daemon, until } from './daemon.ts';
import { type HostileGitServer, type Secure, startHostileGitServer } from './hostile-git-server.ts';
import { createWorld, helloBundle, manifestV1, type World } from './world.ts';

/** What must not be in anything that the agent writes. */
export const SECRETS = {
  gitToken: 'hostile-git-token-5f0c1d9e',
  artifactKey: 'artifact-secret-key-91ab77',
  flowSecret: 'flow-secret-value-c0ffee42',
} as const;

/** An agent with a server that lies to it, and a neighbourhood in which nothing may change. */
export interface HostileWorld extends World {
  readonly server: HostileGitServer;
  /** A signed release of the same bundle: nothing but the revision is new. */
  publish(): Promise<string>;
  /** Starts the daemon, which has then applied the branch. */
  start(): Promise<RunningAgent>;
  /** A verb as a process of its own, in the neighbourhood. */
  command(...args: string[]): Promise<Ended>;
  /** Every file and folder around the state directory, with a hash of what is in it. */
  neighbourhood(): readonly string[];
  /** Processes that were started from here, by their command lines. */
  processes(): readonly string[];
}

export interface RunningAgent {
  readonly daemon: Daemon;
  readonly operations: AgentOperations;
  /** One reconcile, with the highest memory of the fetcher meanwhile, in bytes. */
  attempt(): Promise<Attempt>;
  /** Highest memory of the agent's own process since it started, in bytes. */
  peakBytes(): number;
  stop(): Promise<void>;
}

export interface Attempt {
  readonly answer: ReconcileAnswer;
  readonly fetcherPeakBytes: number;
}

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly peakBytes: { readonly command: number; readonly children: number };
}

export async function createHostileWorld(
  options: { timeout?: string; secure?: Secure; caFile?: string; kind?: 'git' | 'http'; url?: string } = {},
): Promise<HostileWorld> {
  const world = await createWorld();
  const server = await startHostileGitServer(
    world.git,
    options.secure === undefined ? {} : { secure: options.secure },
  );
  world.git.credentials = SECRETS.gitToken;
  const { folder } = world;
  for (const name of ['home', 'tmp', 'work', 'log', 'neighbour']) mkdirSync(join(folder, name));
  writeFileSync(join(folder, 'neighbour', 'canary'), 'untouched');
  writeFileSync(join(folder, 'canary'), 'untouched');
  symlinkSync('../canary', join(folder, 'neighbour', 'link'));
  const secret = (name: string, text: string) =>
    writeFileSync(join(folder, 'credentials', name), text, { mode: 0o600 });
  secret('git-token', SECRETS.gitToken);
  secret('artifacts.json', JSON.stringify({ access_key: 'access', secret_key: SECRETS.artifactKey }));
  secret('secrets.yaml', `CRM_PASSWORD: "${SECRETS.flowSecret}"\n`);
  const source = {
    kind: options.kind ?? 'git',
    url: options.url ?? server.url('builder'),
    interval: '24h',
    timeout: options.timeout ?? '2m',
  };
  world.writeConfig({
    source,
    log: { dir: './log', level: 'debug' },
    ...(options.caFile === undefined ? {} : { network: { ca_file: options.caFile } }),
  });
  const manifest = manifestV1(world, 'flow.tar.gz', helloBundle('still here'));
  const env = {
    PATH: process.env['PATH'],
    HOME: join(folder, 'home'),
    TMPDIR: join(folder, 'tmp'),
    TMP: join(folder, 'tmp'),
    TEMP: join(folder, 'tmp'),
    TZ: 'UTC',
    LC_ALL: 'C.UTF-8',
  };
  const begin = (args: readonly string[]) =>
    spawn(process.execPath, [AGENT_MAIN, '--config', world.config, ...args], {
      cwd: join(folder, 'work'),
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });

  const processes = () => processesOf(folder);
  const hostile: HostileWorld = {
    ...world,
    server,
    publish: () => world.release(manifest, { version: 'v1' }),
    processes,
    neighbourhood: () => listing(folder, [join(world.cache, '.agent'), join(folder, 'log')]),
    async start() {
      const child = begin(['run']);
      let text = '';
      child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
      child.stderr.on('data', (chunk: Buffer) => (text += chunk.toString()));
      const ended = new Promise<number | string>((resolve) => {
        child.once('exit', (code, signal) => resolve(code ?? signal ?? 'unknown'));
      });
      const daemon: Daemon = {
        process: child,
        output: () => text,
        async stop(signal = 'SIGTERM') {
          child.kill(signal);
          return ended;
        },
      };
      const pid = child.pid as number;
      const operations = createControlClient(socketPath(join(world.cache, '.agent')));
      const { signal } = new AbortController();
      const answers = () => operations.status({}, signal).catch(() => null);
      await until('the daemon answers', answers, 30_000).catch((error: unknown) => {
        child.kill('SIGKILL');
        throw new Error(`${String(error)}; it said: ${text}`);
      });
      return {
        daemon,
        operations,
        peakBytes: () => peakOf(pid),
        async attempt() {
          const memory = watchChildren(pid);
          try {
            const answer = await operations.reconcile({ force: false }, signal);
            await until('no process of the attempt is left', () => processes().length === 1, 10_000);
            return { answer, fetcherPeakBytes: memory.peak() };
          } finally {
            memory.stop();
          }
        },
        async stop() {
          await daemon.stop();
        },
      };
    },
    command(...args) {
      const child = begin(args);
      const memory = watchChildren(child.pid as number);
      let command = 0;
      const own = setInterval(() => (command = Math.max(command, peakOf(child.pid as number))), 10);
      const [out, err]: [Buffer[], Buffer[]] = [[], []];
      child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
      child.stderr.on('data', (chunk: Buffer) => err.push(chunk));
      return new Promise((resolve) => {
        child.once('close', (code) => {
          clearInterval(own);
          memory.stop();
          const [stdout, stderr] = [Buffer.concat(out).toString(), Buffer.concat(err).toString()];
          resolve({ code, stdout, stderr, peakBytes: { command, children: memory.peak() } });
        });
      });
    },
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      await world[Symbol.asyncDispose]();
    },
  };
  return hostile;
}

/** Files whose bytes hold a secret, as it is or in base64: what a search of everything that was written finds. */
export function filesWith(folder: string, secrets: readonly string[], except: readonly string[]): string[] {
  const forms = secrets.flatMap((secret) => [
    Buffer.from(secret),
    ...[secret, `x-access-token:${secret}`].map((text) => Buffer.from(Buffer.from(text).toString('base64'))),
  ]);
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => join(folder, name))
    .filter((path) => !except.some((other) => path === other || path.startsWith(`${other}/`)))
    .filter((path) => lstatSync(path).isFile())
    .filter((path) => forms.some((form) => readFileSync(path).includes(form)))
    .map((path) => relative(folder, path));
}

function listing(folder: string, except: readonly string[]): string[] {
  const lines: string[] = [];
  const walk = (path: string) => {
    for (const name of readdirSync(path).sort()) {
      const at = join(path, name);
      if (except.includes(at)) continue;
      const found = lstatSync(at);
      const shown = `${relative(folder, at)} ${found.mode.toString(8)}`;
      if (found.isSymbolicLink()) lines.push(`${shown} -> ${readlinkSync(at)}`);
      else if (found.isDirectory()) {
        lines.push(shown);
        walk(at);
      } else lines.push(`${shown} ${createHash('sha256').update(readFileSync(at)).digest('hex')}`);
    }
  };
  walk(folder);
  return lines;
}

function processesOf(folder: string): string[] {
  const found: string[] = [];
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    const line = readOrEmpty(`/proc/${pid}/cmdline`).replaceAll('\0', ' ');
    if (Number(pid) !== process.pid && line.includes(folder)) found.push(`${pid} ${line}`);
  }
  return found;
}

function peakOf(pid: number | string): number {
  return Number(/VmHWM:\s+(\d+)/.exec(readOrEmpty(`/proc/${pid}/status`))?.[1] ?? 0) * 1_024;
}

/** The highest memory that any child of a process takes while this watches. */
function watchChildren(pid: number) {
  let peak = 0;
  const timer = setInterval(() => {
    const children = readOrEmpty(`/proc/${pid}/task/${pid}/children`).split(' ');
    for (const child of children.filter((word) => word !== '')) peak = Math.max(peak, peakOf(child));
  }, 10);
  return { peak: () => peak, stop: () => clearInterval(timer) };
}

/** Processes end while they are looked at. */
function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}
