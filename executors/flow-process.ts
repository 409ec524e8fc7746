import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import type { Account } from './account.ts';
import { firstInside, STATUS_DESCRIPTOR, sandboxExit } from './bubblewrap.ts';
import type { FlowCommand } from './flow-command.ts';
import { type Launch, launchChain } from './launch-chain.ts';
import type { OutputPipes } from './output-pipes.ts';
import type { ProcessTree } from './process-tree.ts';
import type { RunFolders } from './run-folders.ts';
import type { Started } from './supervision.ts';

/** A flow that waits to be let begin. */
export interface Spawned {
  readonly child: ChildProcess;
  readonly pid: number;
  readonly exit: Started['exit'];
  /** Lets the flow begin. */
  readonly open: () => void;
}

interface Into {
  readonly tree: ProcessTree;
  readonly pipes: OutputPipes | null;
  readonly environment: Readonly<Record<string, string>>;
  readonly account: Account | null;
  readonly folders: RunFolders;
  /** What stands before the command (`holdingWords`). */
  readonly words: readonly string[];
  readonly sandboxed: boolean;
}

/** Starts the command as the account, in the tree, with its three standard descriptors and nothing else of the agent's. */
export async function spawnFlow(command: FlowCommand, into: Into): Promise<Spawned | Error> {
  const { tree, pipes, account, sandboxed } = into;
  const gated = process.platform !== 'win32';
  const { file, args, environment } = launchOf(command, into);
  let child: ChildProcess;
  try {
    child = spawn(file, [...args], {
      cwd: into.folders.work,
      env: { ...environment },
      // Its own session and process group, apart from the agent's terminal and signals.
      detached: gated,
      windowsHide: true,
      windowsVerbatimArguments: command.verbatim ?? false,
      stdio: [
        'ignore',
        pipes?.stdout.descriptor ?? 'pipe',
        pipes?.stderr.descriptor ?? 'pipe',
        ...(gated ? ['pipe' as const] : []),
        ...(sandboxed ? ['pipe' as const] : []),
      ],
      ...(account === null ? {} : { uid: account.uid, gid: account.gid }),
    });
  } catch (error) {
    pipes?.handedOver();
    return error as Error;
  }
  pipes?.handedOver();
  const exit: Started['exit'] = new Promise((resolve) => {
    child.once('exit', (code, signal) => resolve(sandboxed ? sandboxExit(code, signal) : { code, signal }));
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
  if (sandboxed) tree.leadsInside(firstProcess(child.stdio[STATUS_DESCRIPTOR] as Readable));
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

function launchOf(command: FlowCommand, { environment, words, sandboxed }: Into): Launch {
  if (process.platform !== 'win32') return launchChain(command, environment, words, sandboxed ? ['PWD'] : []);
  return { file: command.file, args: command.args, environment };
}

/** As the sandbox says; null when it ended before it said so. */
function firstProcess(status: Readable): Promise<number | null> {
  const lines = createInterface({ input: status });
  status.on('error', () => lines.close());
  return new Promise((resolve) => {
    lines.on('line', (line) => {
      const first = firstInside(line);
      if (first !== null) resolve(first);
    });
    lines.once('close', () => resolve(null));
  });
}
