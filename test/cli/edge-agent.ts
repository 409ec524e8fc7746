import { execFile } from 'node:child_process';
import { AGENT_MAIN } from '../support/agent-program.ts';

export interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  /** Standard output as the one document it has to be. Throws when it is none. */
  json(): unknown;
}

export interface CommandOptions {
  readonly cwd: string;
  /** Given on standard input, which is closed after it. */
  readonly input?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** Runs the real command as a process of its own, in `cwd`, with no home but that. */
export function edgeAgent(args: readonly string[], options: CommandOptions): Promise<Ended> {
  const { cwd, input = '', env = {} } = options;
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      [AGENT_MAIN, ...args],
      {
        cwd,
        env: { ...process.env, HOME: cwd, XDG_CONFIG_HOME: `${cwd}/.config`, ...env },
        timeout: 120_000,
      },
      (error, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1;
        resolve({ code, stdout, stderr, json: () => JSON.parse(stdout) as unknown });
      },
    );
    child.stdin?.on('error', () => {});
    child.stdin?.end(input);
  });
}
