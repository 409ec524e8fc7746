import { execFile } from 'node:child_process';
import { access, constants } from 'node:fs/promises';
import { delimiter, isAbsolute, join } from 'node:path';

export interface HelperOptions {
  readonly timeoutMs: number;
  /** Of each output; a program that says more is ended. Default 64 KiB. */
  readonly maxBytes?: number;
  /** The whole environment. Default the agent's. */
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  readonly uid?: number;
  readonly gid?: number;
  readonly signal?: AbortSignal;
}

export interface Helped {
  /** Null when it did not start or was ended. */
  readonly exitCode: number | null;
  /** Without the last line break. */
  readonly stdout: string;
  readonly timedOut: boolean;
  /** Why there is no exit code: the system's error (`ENOENT`), or the signal. */
  readonly found: string | null;
}

const DEFAULT_MAX_BYTES = 65_536;

/**
 * Runs a short program of the machine (`id`, `ps`, `mkfifo`, an interpreter's probe) to its end, without input, within a time and a
 * length. Never rejects: what went wrong is in the answer. Node's own `execFile`: a package for this took 8 MB of every agent.
 */
export function runHelper(file: string, args: readonly string[], options: HelperOptions): Promise<Helped> {
  const { timeoutMs, maxBytes = DEFAULT_MAX_BYTES, ...given } = options;
  return new Promise((resolve) => {
    const settle = (error: HelperError | null, stdout: string) => {
      const exitCode = error === null ? 0 : typeof error.code === 'number' ? error.code : null;
      const system = typeof error?.code === 'string' ? error.code : null;
      resolve({
        exitCode,
        stdout: stdout.replace(/\r?\n$/, ''),
        timedOut: exitCode === null && system === null && error?.killed === true,
        found: exitCode === null ? (system ?? error?.signal ?? null) : null,
      });
    };
    try {
      const child = execFile(
        file,
        [...args],
        { ...given, timeout: timeoutMs, maxBuffer: maxBytes, killSignal: 'SIGKILL', windowsHide: true },
        (error, stdout) => settle(error, stdout),
      );
      child.stdin?.on('error', () => undefined);
      child.stdin?.end();
    } catch (error) {
      // Some errors of starting (EPERM of another account) are thrown instead of told.
      settle(error as HelperError, '');
    }
  });
}

type HelperError = Error & {
  readonly code?: string | number | null;
  readonly killed?: boolean;
  readonly signal?: string | null;
};

/** Where only an administrator puts programs. */
const SYSTEM_FOLDERS = ['/usr/bin', '/bin', '/usr/local/bin'];

/**
 * Absolute path of a program of the system, else of the first one of that name on `PATH`: what flows are held by must not be
 * something that a flow put into a folder of its account.
 */
export async function systemProgram(name: string, machine: NodeJS.ProcessEnv): Promise<string | null> {
  for (const folder of [...SYSTEM_FOLDERS, ...(machine['PATH'] ?? '').split(delimiter)]) {
    const path = join(folder, name);
    const here = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (isAbsolute(folder) && here) return path;
  }
  return null;
}
