import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { builtCommand } from '../../scripts/built-command.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const CALL_TIMEOUT_MS = 60_000;
const OUTPUT_MAX_BYTES = 4 * 1024 * 1024;

export interface Ended {
  readonly code: number;
  readonly stdout: string;
  /** Standard output and standard error, as a person at a terminal sees them. */
  readonly all: string;
}

export interface Call {
  readonly cwd: string;
  readonly signal: AbortSignal;
  readonly env?: Readonly<Record<string, string>>;
  /** Given on standard input. */
  readonly input?: string;
  /** Exit codes that are as expected; 0 when absent. */
  readonly expected?: readonly number[];
}

/** Runs a program to its end. Throws what it said when it ends with another code than expected. */
export async function call(
  name: string,
  file: string,
  args: readonly string[],
  options: Call,
): Promise<Ended> {
  const { cwd, signal, env = {}, input, expected = [0] } = options;
  const result = await execa(file, args, {
    cwd,
    env,
    reject: false,
    all: true,
    timeout: CALL_TIMEOUT_MS,
    maxBuffer: OUTPUT_MAX_BYTES,
    cancelSignal: signal,
    ...(input === undefined ? { stdin: 'ignore' as const } : { input }),
  });
  signal.throwIfAborted();
  const { exitCode, all, stdout } = result;
  if (exitCode !== undefined && expected.includes(exitCode)) return { code: exitCode, stdout, all };
  const found = result.timedOut
    ? `none within ${CALL_TIMEOUT_MS / 1_000} s`
    : (exitCode ?? result.signal ?? result.originalMessage);
  const said = all.trim() === '' ? '' : `; it said:\n${all.trim()}`;
  throw new Error(`${name}: expected exit code ${expected.join(' or ')}, found ${found}${said}`);
}

/** How `edge-agent` is started as a process of its own: `file` with `args` before those of the command. */
export interface AgentProgram {
  readonly file: string;
  readonly args: readonly string[];
}

/**
 * The command in one piece, as people install it, built in a second unless these sources were built before: it starts in half the
 * time and idles lower than the same from source, and here are five of them.
 */
export async function agentProgram(): Promise<AgentProgram> {
  return { file: process.execPath, args: [`${await builtCommand(ROOT)}/cli/main.js`] };
}

const OWN_HOST_NAME = new URL('own-host-name.mjs', import.meta.url).href;

/** The same with the host name that DEMO_HOST_NAME says, as five machines on one have to have. */
export function withHostName({ file, args }: AgentProgram): AgentProgram {
  return { file, args: ['--import', OWN_HOST_NAME, ...args] };
}

export function callAgent(program: AgentProgram, args: readonly string[], options: Call): Promise<Ended> {
  return call(`edge-agent ${args[0]}`, program.file, [...program.args, ...args], options);
}
