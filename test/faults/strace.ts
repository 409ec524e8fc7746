import { execFile, spawnSync } from 'node:child_process';
import { appendFileSync, readFileSync } from 'node:fs';
import { inCi } from '../../scripts/parts/part.ts';

/** A system call as one thread made it: the `n`-th of its name there. */
export interface SystemCall {
  readonly thread: string;
  readonly call: string;
  readonly n: number;
  /** With arguments and result, as strace writes it. */
  readonly line: string;
}

export interface Injection {
  readonly call: string;
  /** Counted in every thread by itself; the first that comes so far is hit. */
  readonly n: number;
  readonly fault: 'KILL' | 'EIO' | 'ENOSPC';
}

/** Calls that change what is on disk. */
const CALLS = [
  'fsync',
  'fdatasync',
  'rename',
  'mkdir',
  'chmod',
  'unlink',
  'rmdir',
  'pwritev',
  'pwrite64',
  'ftruncate',
];

/** False where faults cannot be injected; with CI set it throws instead, and otherwise it is said at the end of the run. */
export function canInject(): boolean {
  const tried = spawnSync('strace', ['-f', '-qq', '-e', 'inject=rename:error=EIO:when=99', 'true']);
  if (tried.status === 0) return true;
  if (inCi()) throw new Error('expected a working strace, found none: install it and allow ptrace');
  const notes = process.env['EDGE_AGENT_SKIPPED_PARTS'];
  if (notes !== undefined) appendFileSync(notes, 'strace\n');
  return false;
}

/** Runs a script of ours under strace, file system work in one thread so that the order is the same every time. */
export function runTraced(
  script: string,
  args: readonly string[],
  options: { log?: string; inject?: Injection; compileCache: string },
): Promise<{ signal: string | null; stdout: string; stderr: string }> {
  const { log = '/dev/null', inject, compileCache } = options;
  const fault = inject?.fault === 'KILL' ? 'signal=KILL' : `error=${inject?.fault}`;
  const traced = ['-f', '-qq', '-o', log, '-s', '300', '-e', `trace=${CALLS.join(',')}`];
  if (inject !== undefined) traced.push('-e', `inject=${inject.call}:${fault}:when=${inject.n}`);
  const env = { ...process.env, UV_THREADPOOL_SIZE: '1', NODE_COMPILE_CACHE: compileCache };
  return new Promise((resolve) => {
    execFile(
      'strace',
      [...traced, process.execPath, script, ...args],
      { env, timeout: 60_000 },
      (error, stdout, stderr) => {
        // strace ends as its child did.
        resolve({ signal: error?.signal ?? null, stdout, stderr });
      },
    );
  });
}

/** What `runTraced` logged, in order. */
export function readTrace(log: string): SystemCall[] {
  const counts = new Map<string, number>();
  const calls: SystemCall[] = [];
  for (const line of readFileSync(log, 'utf8').split('\n')) {
    const [, thread = '', call = ''] = /^(\d+) +([a-z0-9]+)\(/.exec(line) ?? [];
    if (call === '') continue;
    const n = (counts.get(`${thread} ${call}`) ?? 0) + 1;
    counts.set(`${thread} ${call}`, n);
    calls.push({ thread, call, n, line });
  }
  return calls;
}
