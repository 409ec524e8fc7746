import { type ChildProcess, execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { FetchAnswer, type Fetched, type FetchQuestion } from './fetcher-messages.ts';
import { GitFault } from './git-fault.ts';

/**
 * Starts this executable with an internal verb under Node's permission model, with pipes for all three standard streams. `read` and
 * `write` are absolute paths as Node's flags take them; the child's own code may be read without being named. `heap` stands for
 * `--max-old-space-size` and `--max-semi-space-size`. The child needs no environment but TZ, and must be given no secret one.
 */
export type SpawnFetcher = (
  verb: 'internal-fetch',
  rights: { readonly read: readonly string[]; readonly write: readonly string[]; readonly net: true },
  heap: { readonly oldSpaceMiB: number; readonly semiSpaceMiB: number },
) => ChildProcess;

/** Small: it costs a tenth of the time and halves the memory of a fetch of 30,000 objects. */
const SEMI_SPACE_MIB = 1;
const WATCH_EVERY_MS = 50;
const MAX_STDERR_BYTES = 8_192;
const EXIT_GRACE_MS = 2_000;
const runFile = promisify(execFile);

/**
 * One question to a fetcher child of its own. The child is ended when it takes more memory or time than it may, answers too much, or
 * when the signal is aborted; none is left when this settles. Throws GitFault, or the signal's reason.
 */
export async function fetchInChild(
  question: FetchQuestion,
  spawn: SpawnFetcher,
  signal: AbortSignal,
): Promise<Fetched> {
  signal.throwIfAborted();
  const { budgets, network } = question;
  const ca = network.caFile === null ? [] : [network.caFile];
  const child = spawn(
    'internal-fetch',
    {
      net: true,
      // The wildcard, because Node takes a folder that is not there yet for a file.
      read: [join(question.repository, '*'), question.scratch, ...ca],
      write: [question.scratch],
    },
    {
      oldSpaceMiB: Math.floor(budgets.childMemoryBytes / 1_048_576 / 2),
      semiSpaceMiB: SEMI_SPACE_MIB,
    },
  );
  let ended: Error | null = null;
  const end = (why: Error) => {
    ended ??= why;
    child.kill('SIGKILL');
  };
  const onAbort = () => end(signal.reason as Error);
  signal.addEventListener('abort', onAbort, { once: true });
  // The child has the same deadline and says more about it; this one is for a child that cannot look at its clock.
  const deadline = setTimeout(() => {
    end(new GitFault('timeout', `expected a fetch within ${question.timeoutMs} ms, found no end of it`));
  }, question.timeoutMs + EXIT_GRACE_MS);
  const watch = watchMemory(child, budgets.childMemoryBytes, end);
  try {
    const [stdout, stderr, exit] = await Promise.all([
      collect(child.stdout, budgets.childAnswerBytes, () => {
        end(new GitFault('source_too_large', 'expected a short answer of the fetcher, found an endless one'));
      }),
      collect(child.stderr, MAX_STDERR_BYTES, () => {}),
      exitOf(child),
      tell(child, question),
    ]);
    if (ended !== null) throw ended as Error;
    return understand(stdout, stderr, exit);
  } finally {
    clearTimeout(deadline);
    watch.stop();
    signal.removeEventListener('abort', onAbort);
  }
}

function understand(stdout: string, stderr: string, exit: string): Fetched {
  let answer: FetchAnswer;
  try {
    answer = FetchAnswer.parse(JSON.parse(stdout));
  } catch (cause) {
    const last = /^\w*Error\b.*$/m.exec(stderr)?.[0] ?? stderr.trim().split('\n').at(-1) ?? '';
    const memory = /heap out of memory|ERR_MEMORY|SIGABRT|code 134/.test(`${stderr} ${exit}`);
    throw new GitFault(
      memory ? 'source_too_large' : 'io_error',
      `expected an answer of the fetcher, found that it ended with ${exit}${last === '' ? '' : `: ${last.slice(0, 300)}`}`,
      { cause },
    );
  }
  if (answer.kind === 'fetched') return answer;
  throw new GitFault(answer.code, answer.message, { afterMs: answer.afterMs });
}

function tell(child: ChildProcess, question: FetchQuestion): Promise<void> {
  return new Promise((resolve) => {
    // A child that died early is told by its exit.
    child.stdin?.on('error', () => resolve());
    child.stdin?.end(JSON.stringify(question), () => resolve());
    if (child.stdin === null) resolve();
  });
}

async function collect(
  stream: NodeJS.ReadableStream | null,
  maxBytes: number,
  tooMuch: () => void,
): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of stream ?? []) {
    const bytes = chunk as Buffer;
    if (length + bytes.length > maxBytes) tooMuch();
    else chunks.push(bytes);
    length += bytes.length;
  }
  return Buffer.concat(chunks).toString('utf8');
}

function exitOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('close', (code, signal) => resolve(signal ?? `code ${code}`));
  });
}

/** Looks at the child's resident memory from outside: Buffers are bound by no flag of Node. */
function watchMemory(child: ChildProcess, maxBytes: number, end: (why: Error) => void) {
  const { pid } = child;
  let busy = false;
  const look = async () => {
    if (pid === undefined || busy || child.exitCode !== null) return;
    busy = true;
    const bytes = await residentBytes(pid).catch(() => null);
    busy = false;
    if (bytes === null || bytes <= maxBytes) return;
    end(
      new GitFault('source_too_large', `expected a fetch within ${maxBytes} bytes of memory, found ${bytes}`),
    );
  };
  const timer = setInterval(() => void look(), WATCH_EVERY_MS);
  return { stop: () => clearInterval(timer) };
}

/** On Windows nothing is asked here: there the child looks at itself between objects. */
async function residentBytes(pid: number): Promise<number | null> {
  if (process.platform === 'win32') return null;
  if (process.platform === 'linux') {
    const status = await readFile(`/proc/${pid}/status`, 'latin1');
    const kib = /^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1];
    return kib === undefined ? null : Number(kib) * 1_024;
  }
  const { stdout } = await runFile('ps', ['-o', 'rss=', '-p', String(pid)]);
  return Number(stdout.trim()) * 1_024;
}
