import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { readGiven } from '../agent/key-files.ts';
import { EXIT } from './exit-codes.ts';
import { CommandFailure } from './failure.ts';

const TOKEN_MAX_BYTES = 16 * 1024;
/** A pipe that nobody writes to must not hold an installer up for ever; at a terminal a person may take their time. */
const PIPE_DEADLINE_MS = 60_000;

/** The text of a token: from a file, from standard input (`-`, or nothing named), or typed without being shown. */
export async function tokenInput(file: string | undefined, signal: AbortSignal): Promise<string> {
  if (file !== undefined && file !== '-') {
    const { bytes } = await readGiven(file, TOKEN_MAX_BYTES);
    return Buffer.from(bytes).toString('utf8');
  }
  return process.stdin.isTTY ? askUnseen('Enrolment token: ', signal) : readPipe(signal);
}

async function readPipe(signal: AbortSignal): Promise<string> {
  const deadline = AbortSignal.timeout(PIPE_DEADLINE_MS);
  const ended = AbortSignal.any([signal, deadline]);
  let length = 0;
  const bounded = async function* () {
    for await (const chunk of process.stdin) {
      length += (chunk as Buffer).byteLength;
      if (length > TOKEN_MAX_BYTES) throw tooMuch();
      yield chunk as Buffer;
    }
  };
  const stop = () => process.stdin.destroy(ended.reason as Error);
  ended.addEventListener('abort', stop, { once: true });
  try {
    return await text(bounded());
  } catch (error) {
    signal.throwIfAborted();
    if (!deadline.aborted) throw error;
    const message = `expected an enrolment token on standard input within ${PIPE_DEADLINE_MS / 1_000} s, found none; or name a file with --token-file`;
    throw new CommandFailure('usage', message, EXIT.usage);
  } finally {
    ended.removeEventListener('abort', stop);
  }
}

/** A line typed at the terminal and not echoed: a secret on a screen is a secret in a photograph. */
export async function askUnseen(prompt: string, signal: AbortSignal): Promise<string> {
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input: process.stdin, output: nowhere, terminal: true, historySize: 0 });
  process.stderr.write(prompt);
  // in raw mode Ctrl-C is a key like any other
  lines.once('SIGINT', () => process.kill(process.pid, 'SIGINT'));
  const ended = new Promise<string>((resolve) => lines.once('close', () => resolve('')));
  try {
    return await Promise.race([lines.question('', { signal }), ended]);
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    lines.close();
    process.stderr.write('\n');
  }
}

function tooMuch(): CommandFailure {
  return new CommandFailure(
    'usage',
    `expected an enrolment token, found more than ${TOKEN_MAX_BYTES} bytes`,
    EXIT.usage,
  );
}
