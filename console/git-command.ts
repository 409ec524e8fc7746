import { type ChildProcessByStdio, spawn } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';

export type GitProcess = ChildProcessByStdio<Writable, Readable, Readable>;

const STDERR_MAX_BYTES = 8 * 1024;

/**
 * The whole environment of git: nothing of the console's own, no configuration of the account or the machine, no prompt.
 * `safe.directory` because git otherwise refuses repositories that another account owns (a data directory made by root).
 */
export function gitEnvironment(more: Readonly<Record<string, string>> = {}): Record<string, string> {
  return {
    PATH: process.env['PATH'] ?? '/usr/local/bin:/usr/bin:/bin',
    ...(process.env['SystemRoot'] === undefined ? {} : { SystemRoot: process.env['SystemRoot'] }),
    LC_ALL: 'C',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: process.platform === 'win32' ? 'NUL' : '/dev/null',
    GIT_CONFIG_COUNT: '1',
    GIT_CONFIG_KEY_0: 'safe.directory',
    GIT_CONFIG_VALUE_0: '*',
    GIT_TERMINAL_PROMPT: '0',
    ...more,
  };
}

/** Starts git in a process group of its own, so that its children (pack-objects, index-pack) end with it. */
export function startGit(args: readonly string[], environment: Record<string, string>): GitProcess {
  return spawn('git', args, {
    env: environment,
    stdio: ['pipe', 'pipe', 'pipe'],
    detached: process.platform !== 'win32',
    windowsHide: true,
  });
}

/** Ends git and what it started. Safe to call again, and after it has ended. */
export function killGit(child: GitProcess): void {
  if (child.pid === undefined) return;
  try {
    if (process.platform === 'win32') child.kill('SIGKILL');
    else process.kill(-child.pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** The first 8 KiB of what git says about its troubles, for the log. */
export function collectStderr(child: GitProcess): () => string {
  const chunks: Buffer[] = [];
  let kept = 0;
  child.stderr.on('data', (chunk: Buffer) => {
    if (kept >= STDERR_MAX_BYTES) return;
    chunks.push(chunk.subarray(0, STDERR_MAX_BYTES - kept));
    kept += chunk.length;
  });
  return () => Buffer.concat(chunks).toString('utf8').trim();
}

/**
 * Runs git to its end. Resolves with the exit code and at most `maxBytes` of output; rejects when there is more, when the
 * signal aborts, or when git is not installed.
 */
export async function runGit(
  args: readonly string[],
  options: { readonly input?: string; readonly maxBytes: number; readonly signal: AbortSignal },
): Promise<{ code: number; stdout: Buffer; stderr: string }> {
  options.signal.throwIfAborted();
  const child = startGit(args, gitEnvironment());
  const stderr = collectStderr(child);
  const onAbort = () => killGit(child);
  options.signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await new Promise((resolve, reject) => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      child.stdout.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes <= options.maxBytes) chunks.push(chunk);
        else killGit(child);
      });
      // git may end without reading its input; its exit code says why.
      child.stdin.on('error', () => {});
      child.stdin.end(options.input ?? '');
      child.on('error', (cause: NodeJS.ErrnoException) => {
        reject(
          cause.code === 'ENOENT'
            ? new Error('expected git on the PATH, found none: install git', { cause })
            : cause,
        );
      });
      child.on('close', (code) => {
        if (options.signal.aborted) reject(options.signal.reason as Error);
        else if (bytes > options.maxBytes) {
          reject(new Error(`expected at most ${options.maxBytes} bytes from git ${args[0]}, found more`));
        } else resolve({ code: code ?? -1, stdout: Buffer.concat(chunks), stderr: stderr() });
      });
    });
  } finally {
    options.signal.removeEventListener('abort', onAbort);
  }
}
