import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import type { Clock, RunHandle, RunRequest, RunResult, RunSettings } from '../reconciler/ports.ts';
import { createRedactor } from '../system/redaction.ts';
import { type Account, chooseAccount, unreachable } from './account.ts';
import { flowEnvironment, secretValues } from './environment.ts';
import { type CaptureOutput, captureOutput } from './output-capture.ts';
import { createOutputPipes, type OutputPipes } from './output-pipes.ts';
import { processStartToken } from './process-table.ts';
import { createProcessTree, type ProcessTree } from './process-tree.ts';
import { makeRunFolders, type RunFolders } from './run-folders.ts';
import { type Started, supervise } from './supervision.ts';

/** A program with its arguments, both as the system takes them: no shell reads them. */
export interface FlowCommand {
  readonly file: string;
  readonly args: readonly string[];
  /** On Windows: the arguments stand on the command line as they are, quoted already. */
  readonly verbatim?: boolean;
  /** What its executor needs beside what every flow gets. */
  readonly environment?: Readonly<Record<string, string>>;
}

export interface ProcessDependencies {
  readonly clock: Clock;
  /** The agent's own environment, from which the allow-list is taken. */
  readonly environment: NodeJS.ProcessEnv;
  /** The cgroup to make runs' groups in, asked at every start: `ownCgroup`, or a function that gives null to do without. */
  readonly cgroup: () => string | null;
  /** Another way to keep output than its beginning. */
  readonly capture?: CaptureOutput;
}

/**
 * Waits at descriptor 3 until the agent has put it into its cgroup, then becomes the flow. A process that is moved after it
 * began could have started others before; and when the agent dies in between, nothing starts at all.
 */
const GATE = 'read -r EDGE_GATE <&3 && unset EDGE_GATE PWD OLDPWD SHLVL && exec "$@" 3<&-';

/**
 * Starts a flow in a process tree of its own, as section 6 of the contract says. Never rejects for what can be expected
 * (no such account, secret missing, disk full, a file that cannot be executed): `process` is null then, and `done` says why.
 */
export async function startFlow(
  command: FlowCommand,
  request: RunRequest,
  settings: RunSettings,
  deps: ProcessDependencies,
): Promise<RunHandle> {
  const startedAt = deps.clock.now();
  const notStarted = (reason: string): RunHandle => didNotStart(reason, startedAt, deps.clock.now());

  const missing = request.spec.secrets.filter((name) => !Object.hasOwn(request.secrets, name));
  if (missing.length > 0) {
    return notStarted(
      `expected the secrets ${missing.join(', ')} in secrets.yaml, found none of that name: add them`,
    );
  }
  const choice = await chooseAccount(settings);
  if (choice.kind === 'refused') return notStarted(choice.reason);
  const { account } = choice;

  let folders: RunFolders;
  try {
    folders = await makeRunFolders(request.runDirectory, request.input, account);
  } catch (error) {
    return notStarted(`the folder of the run could not be made: ${(error as Error).message}`);
  }
  const blocked =
    account &&
    (await firstUnreachable(account, [
      folders.work,
      command.file,
      join(request.directory, request.entrypoint),
    ]));
  if (blocked != null) {
    return notStarted(
      `expected ${account?.name} (runs.user) to have access to ${blocked}, found that it has not: let others pass (chmod o+x on folders, o+r on files)`,
    );
  }
  const environment = flowEnvironment(request, settings, folders, deps.environment, command.environment);
  const wrong = Object.entries(environment).find(([, value]) => value.includes('\0'))?.[0];
  if (wrong !== undefined) return notStarted(`expected no NUL in the value of ${wrong}, found one`);

  const tree = await createProcessTree(request.runId, deps.cgroup());
  const pipes = await createOutputPipes(request.runDirectory, account);
  const spawned = await spawnFlow(command, { tree, pipes, environment, account, folders });
  if (spawned instanceof Error) {
    pipes?.discard();
    await tree.end();
    return notStarted(`${command.file} could not be started: ${spawned.message}`);
  }
  const { child, pid } = spawned;
  const started = (await processStartToken(pid)) ?? 'ended';
  const redactor = createRedactor(secretValues(request, settings, deps.environment));
  const capture = (name: 'stdout' | 'stderr') => {
    const stream = pipes?.[name].reader ?? child[name];
    if (stream === null) throw new Error(`expected a pipe for ${name}`);
    return (deps.capture ?? captureOutput)(stream, {
      path: folders[name],
      limit: settings.maxOutput,
      redactor,
    });
  };
  let captures: Started['captures'];
  try {
    captures = await Promise.all([capture('stdout'), capture('stderr')]);
  } catch (error) {
    // a full disk: it waits behind its gate, or runs already where there is none, and nobody would watch it
    await tree.end();
    pipes?.discard();
    return notStarted(`its output could not be kept: ${(error as Error).message}`);
  }
  const run: Started = {
    exit: spawned.exit,
    tree,
    startedAt,
    captures,
    outputFolder: folders.output,
    redact: redactor.text,
  };
  const supervised = supervise(run, { timeoutMs: request.timeoutMs, graceMs: settings.graceMs }, deps.clock);
  spawned.open();
  return { process: { pid, started }, ...supervised };
}

async function firstUnreachable(account: Account, paths: readonly string[]): Promise<string | null> {
  for (const path of paths) {
    const blocked = await unreachable(account, path);
    if (blocked !== null) return blocked;
  }
  return null;
}

interface Spawned {
  readonly child: ChildProcess;
  readonly pid: number;
  readonly exit: Started['exit'];
  /** Lets the flow begin. */
  readonly open: () => void;
}

async function spawnFlow(
  command: FlowCommand,
  into: {
    tree: ProcessTree;
    pipes: OutputPipes | null;
    environment: Record<string, string>;
    account: Account | null;
    folders: RunFolders;
  },
): Promise<Spawned | Error> {
  const { tree, pipes, account } = into;
  const gated = tree.kind === 'cgroup';
  const [file, args] = gated
    ? ['/bin/sh', ['-c', GATE, 'sh', command.file, ...command.args]]
    : [command.file, command.args];
  let child: ChildProcess;
  try {
    child = spawn(file, args, {
      cwd: into.folders.work,
      env: into.environment,
      // Its own session and process group, apart from the agent's terminal and signals.
      detached: process.platform !== 'win32',
      windowsHide: true,
      windowsVerbatimArguments: command.verbatim ?? false,
      stdio: [
        'ignore',
        pipes?.stdout.descriptor ?? 'pipe',
        pipes?.stderr.descriptor ?? 'pipe',
        gated ? 'pipe' : 'ignore',
      ],
      ...(account === null ? {} : { uid: account.uid, gid: account.gid }),
    });
  } catch (error) {
    pipes?.handedOver();
    return error as Error;
  }
  pipes?.handedOver();
  const exit: Started['exit'] = new Promise((resolve) => {
    child.once('exit', (code, signal) => resolve({ code, signal }));
  });
  const failure = await new Promise<Error | null>((resolve) => {
    child.once('spawn', () => resolve(null));
    // Stays for the child's life: an unheard error would end the agent.
    child.on('error', resolve);
    child.stdout?.on('error', () => {});
    child.stderr?.on('error', () => {});
  });
  if (failure !== null || child.pid === undefined) return failure ?? new Error('no process id was given');
  await tree.enter(child.pid);
  const gate = gated ? child.stdio[3] : null;
  gate?.on('error', () => {});
  return {
    child,
    pid: child.pid,
    exit,
    open() {
      if (gate != null && 'end' in gate) gate.end('go\n');
    },
  };
}

/** Starts what lies on something, which is let go when all of it has ended, or nothing was started. */
export async function startOn(release: () => void, start: () => Promise<RunHandle>): Promise<RunHandle> {
  try {
    const handle = await start();
    handle.done.then(release, release);
    return handle;
  } catch (error) {
    release();
    throw error;
  }
}

/** The handle of a run that never began. */
export function didNotStart(reason: string, startedAt: Date, finishedAt: Date): RunHandle {
  const result: RunResult = {
    status: 'failed',
    exitCode: null,
    reason,
    stdout: new Uint8Array(0),
    stderr: new Uint8Array(0),
    truncated: { stdout: 0, stderr: 0 },
    outputs: [],
    startedAt,
    finishedAt,
  };
  return { process: null, cancel() {}, done: Promise.resolve(result) };
}
