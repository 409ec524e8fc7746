import { closeSync, constants, openSync } from 'node:fs';
import { chown, unlink } from 'node:fs/promises';
import { Socket } from 'node:net';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import type { Account } from './account.ts';
import { runHelper } from './system-program.ts';

/** The agent's end to read from, and the descriptor to give to the child. */
export interface OutputPipe {
  readonly reader: Readable;
  readonly descriptor: number;
}

export interface OutputPipes {
  readonly stdout: OutputPipe;
  readonly stderr: OutputPipe;
  /** Closes the writing ends here, once the child has its own: only then does the child's end end the reading. */
  handedOver(): void;
  discard(): void;
}

const MKFIFO_TIMEOUT_MS = 5_000;

/**
 * Two real pipes. Node gives a child sockets instead, and `echo … > /dev/stderr` in a flow's shell script then fails with
 * "No such device or address" (Linux cannot open a socket by its path). Null where mkfifo(1) is missing: then sockets do.
 */
export async function createOutputPipes(
  runDirectory: string,
  account: Account | null,
): Promise<OutputPipes | null> {
  if (process.platform === 'win32') return null;
  const paths = ['stdout', 'stderr'].map((name) => join(runDirectory, `${name}.pipe`));
  const opened: number[] = [];
  try {
    const made = await runHelper('mkfifo', ['-m', '600', ...paths], { timeoutMs: MKFIFO_TIMEOUT_MS });
    if (made.exitCode !== 0) return null;
    // To open /dev/stderr again, the flow's account needs the right to.
    if (account !== null) for (const path of paths) await chown(path, account.uid, account.gid);
    const pipes = paths.map((path) => {
      // Without a writer, opening to read would wait; without a reader, opening to write would.
      const read = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
      opened.push(read);
      const descriptor = openSync(path, constants.O_WRONLY);
      opened.push(descriptor);
      return { read, descriptor };
    });
    const [stdout, stderr] = pipes.map(({ read, descriptor }) => ({
      reader: new Socket({ fd: read, readable: true, writable: false }),
      descriptor,
    })) as [OutputPipe & { reader: Socket }, OutputPipe & { reader: Socket }];
    // Heard until the capture listens: an unheard error would end the agent.
    for (const { reader } of [stdout, stderr]) reader.on('error', () => {});
    return {
      stdout,
      stderr,
      handedOver() {
        for (const { descriptor } of pipes) closeSync(descriptor);
      },
      discard() {
        stdout.reader.destroy();
        stderr.reader.destroy();
      },
    };
  } catch {
    for (const descriptor of opened) closeSync(descriptor);
    return null;
  } finally {
    for (const path of paths) await unlink(path).catch(() => {});
  }
}
