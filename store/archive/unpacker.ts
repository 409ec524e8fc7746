import type { ChildProcess } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { readJsonLines } from './json-lines.ts';
import { type Made, type UnpackAnswer, UnpackerMessage, type UnpackRequest } from './unpack-messages.ts';
import { UNPACK_VERB } from './unpacker-child.ts';

const IDLE_MS = 5_000;
const MESSAGE_MAX_BYTES = 1024 * 1024;
const STDERR_KEPT_BYTES = 2_048;

/**
 * Starts this executable with an internal verb under Node's permission model. `read` and `write` are absolute folders; the
 * child's own code may be read without being named. Standard input and output are pipes; standard error is a pipe or inherited.
 */
export type SpawnChild = (
  verb: string,
  rights: { readonly read: readonly string[]; readonly write: readonly string[]; readonly net: boolean },
) => ChildProcess;

/** What became of a request when the child could not answer it. */
export type UnpackerLoss =
  | { readonly kind: 'timeout'; readonly message: string }
  | { readonly kind: 'lost'; readonly message: string };

export interface Unpacker {
  /** A bundle will soon be there: the child is started, so that it is ready when the bundle is. */
  warm(): void;
  /**
   * One request at a time, in order. `onMade` hears of what was written and holds the child back until it resolves. Rejects
   * with the signal's reason when it aborts (the child is ended) and with what `onMade` throws.
   */
  unpack(
    request: Omit<UnpackRequest, 'id'>,
    onMade: (made: Made) => Promise<void>,
    options: { signal: AbortSignal; deadlineMs: number },
  ): Promise<UnpackAnswer | UnpackerLoss>;
  /** Ends the child when there is one, and resolves when it is gone. */
  close(): Promise<void>;
}

interface Child {
  readonly process: ChildProcess;
  readonly stdin: Writable;
  readonly messages: AsyncGenerator<UnpackerMessage>;
  /** How it ended, with its last words. */
  readonly ended: Promise<string>;
}

/** One child serves all bundles of a reconcile, as starting one costs more than most bundles; it ends when idle for 5 s. */
export function createUnpacker(options: {
  spawnChild: SpawnChild;
  read: readonly string[];
  write: readonly string[];
  idleMs?: number;
}): Unpacker {
  const { spawnChild, read, write, idleMs = IDLE_MS } = options;
  let child: Child | null = null;
  let idle: NodeJS.Timeout | undefined;
  let turn: Promise<unknown> = Promise.resolve();
  let lastId = 0;

  const endWhenIdle = (mine: Child) => {
    clearTimeout(idle);
    idle = setTimeout(() => {
      if (child === mine) child = null;
      mine.stdin.end();
    }, idleMs).unref();
  };
  const kill = async (victim: Child) => {
    if (child === victim) child = null;
    victim.process.kill('SIGKILL');
    await victim.ended;
  };

  const ask = async (
    request: Omit<UnpackRequest, 'id'>,
    onMade: (made: Made) => Promise<void>,
    { signal, deadlineMs }: { signal: AbortSignal; deadlineMs: number },
  ): Promise<UnpackAnswer | UnpackerLoss> => {
    signal.throwIfAborted();
    clearTimeout(idle);
    child ??= start(spawnChild(UNPACK_VERB, { read: [...read, ...write], write, net: false }));
    const mine = child;
    hold(mine, true);
    const id = ++lastId;
    const deadline = AbortSignal.timeout(deadlineMs);
    const stop = () => mine.process.kill('SIGKILL');
    deadline.addEventListener('abort', stop, { once: true });
    signal.addEventListener('abort', stop, { once: true });
    try {
      mine.stdin.write(`${JSON.stringify({ id, ...request })}\n`);
      for (;;) {
        const message = await nextMessage(mine, id);
        if (message === null) break;
        if (message.kind === 'answer') {
          endWhenIdle(mine);
          hold(mine, false);
          return message.answer;
        }
        await onMade(message);
      }
    } catch (error) {
      await kill(mine);
      throw error;
    } finally {
      deadline.removeEventListener('abort', stop);
      signal.removeEventListener('abort', stop);
    }
    await kill(mine);
    signal.throwIfAborted();
    if (deadline.aborted) {
      return {
        kind: 'timeout',
        message: `expected the bundle to be unpacked within ${deadlineMs} ms, found it unfinished`,
      };
    }
    return {
      kind: 'lost',
      message: `expected an answer of the unpacker, found that it ${await mine.ended}`,
    };
  };

  const start = (process: ChildProcess): Child => {
    const { stdin, stdout, stderr } = process;
    if (stdin === null || stdout === null)
      throw new TypeError('expected an unpacker with pipes as input and output');
    let words = '';
    stderr?.on('data', (bytes: Buffer) => {
      words = (words + bytes.toString('utf8')).slice(-STDERR_KEPT_BYTES);
    });
    // A child that died shows in its messages ending; what could not be told it does not matter then.
    stdin.on('error', () => undefined);
    const ended = new Promise<string>((resolve) => {
      process.once('error', (error) => resolve(`could not start: ${error.message}`));
      process.once('close', (code, signal) => {
        if (child?.process === process) child = null;
        resolve(`ended with ${signal ?? `exit code ${code}`}${words === '' ? '' : `: ${words.trim()}`}`);
      });
    });
    return { process, stdin, messages: readMessages(stdout), ended };
  };

  return {
    warm() {
      if (child !== null) return;
      child = start(spawnChild(UNPACK_VERB, { read: [...read, ...write], write, net: false }));
      hold(child, false);
      endWhenIdle(child);
    },
    unpack(request, onMade, asked) {
      const mine = turn.then(() => ask(request, onMade, asked));
      turn = mine.catch(() => undefined);
      return mine;
    },
    async close() {
      await turn;
      clearTimeout(idle);
      const last = child;
      if (last === null) return;
      hold(last, true);
      last.stdin.end();
      await last.ended;
    },
  };
}

/** An idle child must not keep the agent from ending; its input ends with the agent, and so does it. */
function hold(child: Child, held: boolean): void {
  const { process } = child;
  const handles = [process, process.stdin, process.stdout, process.stderr] as ({
    ref?(): void;
    unref?(): void;
  } | null)[];
  for (const handle of handles) {
    if (held) handle?.ref?.();
    else handle?.unref?.();
  }
}

/** Null when there will be no more: the child ended, or said what it should not. */
async function nextMessage(child: Child, id: number): Promise<UnpackerMessage | null> {
  try {
    const next = await child.messages.next();
    return next.done !== true && next.value.id === id ? next.value : null;
  } catch {
    return null;
  }
}

async function* readMessages(stdout: Readable): AsyncGenerator<UnpackerMessage> {
  for await (const value of readJsonLines(stdout, MESSAGE_MAX_BYTES)) yield UnpackerMessage.parse(value);
}
