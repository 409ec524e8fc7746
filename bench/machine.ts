import { spawn } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, readSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { createControlClient } from '../agent/control-client.ts';
import type { AgentOperations } from '../agent/operations.ts';
import { socketPath } from '../agent/paths.ts';
import type { World } from '../test/support/world.ts';
import { type Ran, run } from './measure/run.ts';

/** What is measured is what users run: the built program. */
export const PROGRAM = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url));
const READY_WITHIN_MS = 120_000;
const LOOK_EVERY_MS = 2;

/** A machine with nothing on it but an agent.yaml and the root. */
export interface Machine {
  readonly folder: string;
  /** Runs `edge-agent <words>` to its end. */
  command(...words: string[]): Promise<Ran>;
  /** `edge-agent run`; resolves at once. */
  start(): Daemon;
}

export interface Daemon {
  readonly pid: number;
  readonly startedAt: number;
  readonly operations: AgentOperations;
  /** One reconcile asked for over the control socket; milliseconds until its answer. Throws when it does not end Ready. */
  reconcile(): Promise<number>;
  /** Milliseconds from the start of the process until it says that `revision` is applied in full and the agent Ready. */
  ready(commit: string): Promise<number>;
  stop(): Promise<void>;
}

export function createMachine(world: World, name: string): Machine {
  const folder = join(world.folder, 'machines', name);
  const cache = join(folder, 'EdgeFlows');
  mkdirSync(join(folder, 'credentials'), { recursive: true, mode: 0o700 });
  const config = join(folder, 'agent.yaml');
  const settings = {
    version: 1,
    tenant: world.slug,
    edge_cache_dir: cache,
    source: { url: world.git.url('builder') },
    trust: { root: join(world.folder, 'root.jws.json') },
    artifacts: { allow: [`${world.artifacts.origin}/edge-artifacts`] },
    runs: { allow_root: true },
    log: { dir: join(folder, 'log') },
  };
  // JSON is YAML
  writeFileSync(config, JSON.stringify(settings, null, 2));

  return {
    folder,
    command: (...words) => run([process.execPath, PROGRAM, '--config', config, ...words], { cwd: folder }),
    start: () => startDaemon(config, cache, world.slug, folder),
  };
}

function startDaemon(config: string, cache: string, slug: string, folder: string): Daemon {
  const errors = join(folder, 'daemon.log');
  const startedAt = performance.now();
  const child = spawn(process.execPath, [PROGRAM, '--config', config, 'run'], {
    stdio: ['ignore', 'ignore', openSync(errors, 'a')],
    cwd: folder,
  });
  let exited: string | null = null;
  const ended = new Promise<void>((resolve) => {
    child.once('exit', (code, signal) => {
      exited = signal ?? `code ${code}`;
      resolve();
    });
  });
  const socket = socketPath(join(cache, '.agent'));
  const operations = createControlClient(socket);
  const never = new AbortController().signal;
  const lookFor = async (what: string, found: () => boolean | Promise<boolean>) => {
    const until = performance.now() + READY_WITHIN_MS;
    while (!(await found())) {
      if (exited !== null || performance.now() > until) {
        const how = exited === null ? `after ${READY_WITHIN_MS} ms` : `as it ended with ${exited}`;
        throw new Error(`expected ${what}, found none ${how}: ${readFileSync(errors, 'utf8').slice(-2_000)}`);
      }
      await sleep(LOOK_EVERY_MS);
    }
  };
  const pointer = join(cache, slug, 'current.json');

  return {
    pid: child.pid as number,
    startedAt,
    operations,
    async reconcile() {
      const before = performance.now();
      const answer = await operations.reconcile({ force: false }, never);
      if (answer.exit_code !== 0) throw new Error(`expected Ready, found ${JSON.stringify(answer.problems)}`);
      return performance.now() - before;
    },
    async ready(commit) {
      // The head of the pointer is cheap to look at; the agent itself is asked only once it is worth it.
      await lookFor('an applied revision', () =>
        headOf(pointer).includes(`\n  "revision": "tenant/${slug}@sha1:${commit}"`),
      );
      await lookFor('the control socket', () => existsSync(socket));
      await lookFor('Ready', async () => {
        // Bound, and not yet listening.
        const status = await operations.status({}, never).catch(() => null);
        if (status === null) return false;
        const { conditions, source } = status;
        const seenNow =
          source.last_sync_at !== null &&
          Date.parse(source.last_sync_at) >= performance.timeOrigin + startedAt;
        return seenNow && conditions.some(({ type, status }) => type === 'Ready' && status === 'True');
      });
      return performance.now() - startedAt;
    },
    async stop() {
      child.kill('SIGTERM');
      await ended;
    },
  };
}

/** The first bytes of a file: of a pointer, all that stands before its flows. */
function headOf(path: string): string {
  if (!existsSync(path)) return '';
  const file = openSync(path, 'r');
  try {
    const head = Buffer.alloc(1_024);
    return head.toString('utf8', 0, readSync(file, head, 0, head.length, 0));
  } finally {
    closeSync(file);
  }
}
