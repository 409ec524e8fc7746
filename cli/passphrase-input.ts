import { createInterface } from 'node:readline/promises';
import type { AskPassphrase } from '../agent/key-files.ts';
import { EXIT } from './exit-codes.ts';
import { CommandFailure } from './failure.ts';
import { askUnseen } from './token-input.ts';

const MIN_CHARACTERS = 12;
const MAX_CHARACTERS = 1_024;
/** A pipe that nobody writes to must not hold a script up for ever; at a terminal a person may take their time. */
const PIPE_DEADLINE_MS = 60_000;

/** Asks for the passphrase of a sealed key: typed without being shown, or a line of standard input for each key in turn. */
export function passphraseInput(signal: AbortSignal): AskPassphrase {
  let lines: AsyncIterator<string> | null = null;
  return async (file) => {
    if (process.stdin.isTTY) return whole(await askUnseen(`Passphrase of ${file}: `, signal), file);
    lines ??= linesOfInput(signal);
    const line = await lines.next();
    if (line.done === true) {
      const message = `expected the passphrase of ${file} on standard input, a line for each key, found none`;
      throw new CommandFailure('usage', message, EXIT.usage);
    }
    return whole(line.value, file);
  };
}

/** The passphrase of a key to be made: twice at a terminal. Throws a CommandFailure for one that is too short to keep a key. */
export async function newPassphrase(file: string, signal: AbortSignal): Promise<string> {
  const given = process.stdin.isTTY
    ? whole(
        await askUnseen(`New passphrase of ${file} (${MIN_CHARACTERS} characters or more): `, signal),
        file,
      )
    : await passphraseInput(signal)(file);
  if (given.length < MIN_CHARACTERS) {
    const message = `expected a passphrase of ${MIN_CHARACTERS} characters or more (six words drawn by lot are a good one), found ${given.length}`;
    throw new CommandFailure('usage', message, EXIT.usage);
  }
  if (process.stdin.isTTY && (await askUnseen('The same again: ', signal)) !== given)
    throw new CommandFailure(
      'usage',
      'expected the same passphrase twice, found two; nothing was made',
      EXIT.usage,
    );
  return given;
}

/** One that is cut is another one. */
function whole(passphrase: string, file: string): string {
  if (passphrase.length <= MAX_CHARACTERS) return passphrase;
  const message = `passphrase of ${file}: expected at most ${MAX_CHARACTERS} characters, found ${passphrase.length}`;
  throw new CommandFailure('usage', message, EXIT.usage);
}

function linesOfInput(signal: AbortSignal): AsyncIterator<string> {
  const ended = AbortSignal.any([signal, AbortSignal.timeout(PIPE_DEADLINE_MS)]);
  const lines = createInterface({ input: process.stdin, crlfDelay: Number.POSITIVE_INFINITY, signal: ended });
  return lines[Symbol.asyncIterator]();
}
