import type { Clock, RunHandle, RunResult } from '../reconciler/ports.ts';
import { formatDuration } from '../schemas/duration.ts';
import type { OutputCapture } from './output-capture.ts';
import { collectOutputFiles, OUTPUT_FILES_MAX } from './output-files.ts';
import type { ProcessTree } from './process-tree.ts';

/** How long output may still come after everything of the run has ended: what was in the pipes, no more. */
const DRAIN_MS = 5_000;
/** How long a killed process may take to be gone before the run is given up. */
const GONE_MS = 10_000;
/** For hashing what a run left, after its end. A cancel ends it sooner. */
const HASHING_MAX_MS = 5 * 60_000;

/** A run that has begun: what there is to watch. */
export interface Started {
  /** Of the first process; does not wait for its pipes, which its children may hold for ever. */
  readonly exit: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>;
  readonly tree: ProcessTree;
  readonly startedAt: Date;
  readonly captures: readonly [stdout: OutputCapture, stderr: OutputCapture];
  readonly outputFolder: string;
  /** Redaction of secrets in names of outputs. */
  readonly redact: (text: string) => string;
}

type Ending = 'timed_out' | 'cancelled';

/**
 * Watches a run to its end: interrupt at the timeout or on cancel, `graceMs` to end by itself, then the whole tree is
 * killed; what it left running is killed after an ordinary end too. The first of timeout, cancel and exit decides the status.
 */
export function supervise(
  run: Started,
  limits: { timeoutMs: number; graceMs: number },
  clock: Clock,
): Pick<RunHandle, 'cancel' | 'done'> {
  const ended = new AbortController();
  const gone = Promise.withResolvers<null>();
  const hashing = new AbortController();
  let ending: Ending | null = null;
  let killed = false;

  const stop = async (why: Ending): Promise<void> => {
    if (ending !== null || ended.signal.aborted) return;
    ending = why;
    if (limits.graceMs > 0) {
      run.tree.interrupt();
      if (!(await waited(clock, limits.graceMs, ended.signal))) return;
    }
    killed = true;
    await run.tree.end();
    // A process that the kernel does not let go (a hung disk) must not hold the run for ever.
    if (await waited(clock, GONE_MS, ended.signal)) gone.resolve(null);
  };

  const watch = async (): Promise<RunResult> => {
    const exit = await Promise.race([run.exit, gone.promise]);
    ended.abort();
    const finishedAt = clock.now();
    const complete = await run.tree.end();
    const [stdout, stderr] = await Promise.all(run.captures.map((capture) => capture.finish(DRAIN_MS)));
    // What was left by a run that did not end by itself is worth a moment, and no more.
    const room = ending === null ? HASHING_MAX_MS : Math.max(limits.graceMs, 1_000);
    void waited(clock, room, hashing.signal).then(() => hashing.abort());
    const outputs = await collectOutputFiles(run.outputFolder, hashing.signal);
    hashing.abort();
    if (stdout === undefined || stderr === undefined) throw new Error('expected two captures');
    const status = ending ?? (exit?.code === 0 ? 'succeeded' : 'failed');
    const sentences = [
      outcome(ending, killed, exit, limits),
      complete && exit !== null ? null : 'some of its processes could not be ended',
      outputs.cut
        ? `not all outputs are listed: there were more than ${OUTPUT_FILES_MAX}, or hashing them took too long`
        : null,
    ].filter((sentence) => sentence !== null);
    return {
      status,
      exitCode: exit?.code ?? null,
      reason: sentences.length === 0 ? null : sentences.join('; '),
      stdout: stdout.kept,
      stderr: stderr.kept,
      truncated: { stdout: stdout.dropped, stderr: stderr.dropped },
      outputs: outputs.files.map((file) => ({ ...file, name: run.redact(file.name) })),
      startedAt: run.startedAt,
      finishedAt,
    };
  };

  void waited(clock, limits.timeoutMs, ended.signal).then((late) => (late ? stop('timed_out') : undefined));
  const cancel = () => {
    if (ended.signal.aborted) hashing.abort();
    else void stop('cancelled');
  };
  return { cancel, done: watch() };
}

function outcome(
  ending: Ending | null,
  killed: boolean,
  exit: Awaited<Started['exit']> | null,
  limits: { timeoutMs: number; graceMs: number },
): string | null {
  if (ending !== null) {
    const why = ending === 'timed_out' ? `timed out after ${formatDuration(limits.timeoutMs)}` : 'cancelled';
    if (killed)
      return `${why}; killed, as it did not end within ${formatDuration(limits.graceMs)} of the interrupt`;
    return `${why}; it ended when interrupted`;
  }
  if (exit?.code === 0) return null;
  if (exit?.signal === 'SIGKILL')
    return 'ended by SIGKILL: somebody killed it, or the machine ran out of memory';
  return exit?.signal == null ? `exit code ${exit?.code}` : `ended by ${exit.signal}`;
}

/** True when the time passed, false when the signal came first. */
function waited(clock: Clock, ms: number, signal: AbortSignal): Promise<boolean> {
  return clock.sleep(ms, signal).then(
    () => true,
    () => false,
  );
}
