import { type ChildProcess, spawn } from 'node:child_process';
import type { Readable } from 'node:stream';

export interface ClientCommand {
  readonly file: string;
  readonly args: readonly string[];
  /** The whole environment. */
  readonly environment: Readonly<Record<string, string>>;
  readonly folder: string;
  /** One line of its output, at most 2,000 characters of it. */
  onLine(line: string, stream: 'stdout' | 'stderr'): void;
}

/** A running client of a tunnel. */
export interface ClientProcess {
  /** How it ended (`exit code 1`, `SIGABRT`, `it could not be started: …`), once its output has been read. Never rejects. */
  readonly ended: Promise<string>;
  /** Interrupts it, and kills it when it is still there after `graceMs`. Resolves when it has ended. */
  stop(graceMs: number): Promise<void>;
}

const LINE_MAX_CHARS = 2_000;
/** Its pipes may be held open by nobody for longer. */
const DRAIN_MS = 1_000;

/**
 * Starts a client in a process group of its own: Ctrl-C at the agent's terminal is the agent's to deal with. It ends with the
 * agent, also where the agent ends at once; after a SIGKILL of the agent the next life finds it (orphan-clients.ts).
 */
export function startClient(command: ClientCommand): ClientProcess {
  const grouped = process.platform !== 'win32';
  const child = spawn(command.file, [...command.args], {
    cwd: command.folder,
    env: { ...command.environment },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: grouped,
    windowsHide: true,
  });
  const { stdout, stderr } = child;
  readLines(stdout, (line) => command.onLine(line, 'stdout'));
  readLines(stderr, (line) => command.onLine(line, 'stderr'));
  const signal = (name: NodeJS.Signals) => {
    if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
    try {
      process.kill(grouped ? -child.pid : child.pid, name);
    } catch {
      // It ended in between.
    }
  };
  const onExit = () => signal('SIGKILL');
  process.once('exit', onExit);
  const ended = endOf(child).finally(() => process.removeListener('exit', onExit));
  return {
    ended,
    async stop(graceMs) {
      // Both stop gracefully on SIGINT only; on Windows there is no such thing and it is ended.
      signal('SIGINT');
      const patience = setTimeout(() => signal('SIGKILL'), graceMs);
      await ended;
      clearTimeout(patience);
    },
  };
}

function endOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    let how = '';
    child.once('error', (error) => {
      if (child.pid === undefined) resolve(`it could not be started: ${error.message}`);
    });
    child.once('exit', (code, signal) => {
      how = signal ?? `exit code ${code}`;
      const drained = setTimeout(() => {
        child.stdout?.destroy();
        child.stderr?.destroy();
      }, DRAIN_MS);
      child.once('close', () => clearTimeout(drained));
    });
    child.once('close', () => resolve(how));
  });
}

const COLOUR = new RegExp(`${String.fromCharCode(27)}\\[[0-9;]*m`, 'g');

/** Whole lines, however they come in; of a longer one the beginning. */
function readLines(stream: Readable, onLine: (line: string) => void): void {
  let line = '';
  stream.setEncoding('utf8');
  stream.on('error', () => undefined);
  const give = () => {
    const shown = line.replace(COLOUR, '').trimEnd();
    line = '';
    if (shown !== '') onLine(shown);
  };
  stream.on('data', (text: string) => {
    const pieces = text.split('\n');
    for (const [index, piece] of pieces.entries()) {
      if (index > 0) give();
      line += piece.slice(0, LINE_MAX_CHARS - line.length);
    }
  });
  stream.once('end', give);
}
