import { spawn } from 'node:child_process';

export interface FedOptions {
  /** Given on standard input, which is closed after it: where secrets go, as arguments can be read by everybody (`ps`). */
  readonly input: string | Uint8Array;
  readonly timeoutMs: number;
  /** Of both outputs together; a program that says more is ended. */
  readonly maxBytes: number;
}

export interface Fed {
  /** Null when it did not start or was ended. */
  readonly exitCode: number | null;
  readonly stdout: Buffer;
  readonly stderr: string;
  /** Why there is no exit code: the system's error (`ENOENT`), a signal, or what was exceeded. */
  readonly found: string | null;
}

/** Runs a short program of the machine to its end with something on its standard input. Never rejects: what went wrong is in the answer. */
export function runFed(file: string, args: readonly string[], options: FedOptions): Promise<Fed> {
  const { input, timeoutMs, maxBytes } = options;
  return new Promise((resolve) => {
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    let size = 0;
    let found: string | null = null;
    const settle = (exitCode: number | null) =>
      resolve({
        exitCode: found === null ? exitCode : null,
        stdout: Buffer.concat(out),
        stderr: Buffer.concat(err).toString('utf8').trim(),
        found,
      });
    let child: ReturnType<typeof start>;
    const start = () => spawn(file, [...args], { windowsHide: true, stdio: 'pipe' });
    try {
      child = start();
    } catch (error) {
      // Some errors of starting (EPERM) are thrown instead of told.
      found = (error as NodeJS.ErrnoException).code ?? (error as Error).message;
      return settle(null);
    }
    const end = (why: string) => {
      found ??= why;
      child.kill('SIGKILL');
      // a program of its own may hold them open for as long as it lives
      child.stdout.destroy();
      child.stderr.destroy();
    };
    const late = setTimeout(() => end(`no end within ${timeoutMs} ms`), timeoutMs);
    const keep = (chunks: Buffer[]) => (chunk: Buffer) => {
      size += chunk.length;
      if (size > maxBytes) return end(`more than ${maxBytes} bytes`);
      chunks.push(chunk);
    };
    child.stdout.on('data', keep(out)).on('error', () => undefined);
    child.stderr.on('data', keep(err)).on('error', () => undefined);
    child.stdin.on('error', () => undefined);
    child.once('error', (error: NodeJS.ErrnoException) => {
      clearTimeout(late);
      found ??= error.code ?? error.message;
      settle(null);
    });
    child.once('close', (code, signal) => {
      clearTimeout(late);
      if (code === null) found ??= signal;
      settle(code);
    });
    child.stdin.end(input);
  });
}
