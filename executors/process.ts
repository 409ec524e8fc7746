import { join } from 'node:path';
import type { Clock, RunHandle, RunRequest, RunResult, RunSettings } from '../reconciler/ports.ts';
import { createRedactor } from '../system/redaction.ts';
import { type Account, chooseAccount, unreachable } from './account.ts';
import { flowEnvironment, secretValues } from './environment.ts';
import type { FlowCommand } from './flow-command.ts';
import { spawnFlow } from './flow-process.ts';
import type { FlowSandbox } from './flow-sandbox.ts';
import { holdingWords } from './holding-words.ts';
import { type CaptureOutput, captureOutput } from './output-capture.ts';
import { createOutputPipes } from './output-pipes.ts';
import { processStartToken } from './process-table.ts';
import { createProcessTree } from './process-tree.ts';
import { makeRunFolders, type RunFolders } from './run-folders.ts';
import { machineLimits, type RunLimits } from './run-limits.ts';
import { type Started, supervise } from './supervision.ts';

export interface ProcessDependencies {
  readonly clock: Clock;
  /** The agent's own environment, from which the allow-list is taken. */
  readonly environment: NodeJS.ProcessEnv;
  /** The cgroup to make runs' groups in, asked at every start: `ownCgroup`, or a function that gives null to do without. */
  readonly cgroup: () => string | null;
  /** Which sandbox runs get; without it none. */
  readonly sandbox?: FlowSandbox;
  /** What a run may take at most; without it `machineLimits()`. */
  readonly limits?: RunLimits;
  /** Another way to keep output than its beginning. */
  readonly capture?: CaptureOutput;
}

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

  const limits = deps.limits ?? machineLimits();
  let sandbox: readonly string[] | null = null;
  try {
    const run = { account, request, settings, file: command.file, work: folders.work };
    sandbox = (await deps.sandbox?.words(run)) ?? null;
  } catch (error) {
    return notStarted(`its sandbox could not be made: ${(error as Error).message}`);
  }
  const tree = await createProcessTree(request.runId, deps.cgroup(), limits);
  const holds = { sandbox, limits, bounded: tree.limited, account };
  const words = await holdingWords(holds, deps.environment);
  const pipes = await createOutputPipes(request.runDirectory, account);
  const into = { tree, pipes, environment, account, folders, words, sandboxed: sandbox !== null };
  const spawned = await spawnFlow(command, into);
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
