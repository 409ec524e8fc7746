import { spawn } from 'node:child_process';
import { scrubText } from '../system/redaction.ts';
import { createProcessTree, sweep } from './process-tree.ts';

export interface InstallerOptions {
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  /** Its processes carry it as `EDGE_RUN_ID`: by it they are found when this process ends before them. */
  readonly mark: string;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  /** Whether to look for what it left running after it ended well: programs that packages brought along may. */
  readonly thorough?: boolean;
  readonly uid?: number;
  readonly gid?: number;
}

export interface Installed {
  /** Null when it did not start or was ended. */
  readonly exitCode: number | null;
  /** The last 32 KiB of both outputs, scrubbed of credentials. */
  readonly output: string;
  /** Why there is no exit code. */
  readonly found: string | null;
}

const TAIL_BYTES = 32 * 1024;

/**
 * Runs a program that may take minutes (an installer, a download) to its end, and ends the whole of its tree at the
 * deadline and when `signal` aborts. Rejects with the signal's reason only.
 */
export async function runInstaller(
  file: string,
  args: readonly string[],
  options: InstallerOptions,
): Promise<Installed> {
  const { signal } = options;
  signal.throwIfAborted();
  const tree = await createProcessTree(options.mark, null);
  let tail = Buffer.alloc(0);
  const keep = (chunk: Buffer) => {
    tail = Buffer.concat([tail, chunk]).subarray(-TAIL_BYTES);
  };
  const outcome = Promise.withResolvers<Pick<Installed, 'exitCode' | 'found'>>();
  const end = (found: string) => {
    outcome.resolve({ exitCode: null, found });
  };
  const abort = () => end('aborted');
  try {
    const child = spawn(file, [...args], {
      cwd: options.cwd,
      env: { ...options.env, EDGE_RUN_ID: options.mark },
      detached: process.platform !== 'win32',
      windowsHide: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      ...(options.uid === undefined ? {} : { uid: options.uid }),
      ...(options.gid === undefined ? {} : { gid: options.gid }),
    });
    child.on('error', (error: NodeJS.ErrnoException) => end(error.code ?? error.message));
    child.once('close', (code, how) =>
      outcome.resolve({ exitCode: code, found: code === null ? how : null }),
    );
    for (const stream of [child.stdout, child.stderr]) stream.on('data', keep).on('error', () => undefined);
    if (child.pid !== undefined) await tree.enter(child.pid);
  } catch (error) {
    // Some errors of starting (EPERM of another account) are thrown instead of told.
    end((error as NodeJS.ErrnoException).code ?? (error as Error).message);
  }
  const late = setTimeout(
    () => end(`not done within ${Math.round(options.timeoutMs / 1_000)} s`),
    options.timeoutMs,
  );
  signal.addEventListener('abort', abort, { once: true });
  if (signal.aborted) abort();
  let ended: number | null = null;
  try {
    const { exitCode, found } = await outcome.promise;
    ended = exitCode;
    return { exitCode, found, output: scrubText(tail.toString('utf8').replaceAll('\uFFFD', '')).trim() };
  } finally {
    clearTimeout(late);
    signal.removeEventListener('abort', abort);
    // An installer that came to its own end leaves nothing; looking for it would take as long as a small installation.
    if (ended === null || options.thorough === true) await tree.end();
    signal.throwIfAborted();
  }
}

/** Ends what an earlier life left of an installer with this mark. */
export async function endLeftInstaller(mark: string): Promise<void> {
  if (process.platform !== 'win32') await sweep({ runId: mark, leader: null, leaderStarted: null });
}
