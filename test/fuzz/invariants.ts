import { isDeepStrictEqual } from 'node:util';

/** A promise of a parser that does not hold. */
export class BrokenPromise extends Error {
  constructor(what: string) {
    super(what);
    this.name = 'BrokenPromise';
  }
}

export function check(holds: boolean, what: string): asserts holds {
  if (!holds) throw new BrokenPromise(what);
}

const MESSAGE_MAX_CHARACTERS = 8_192;
/** C0, DEL and C1, but for the line feed between sentences. */
// oxlint-disable-next-line no-control-regex -- these are looked for
const CONTROL = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/;

/** A message is bounded, and can be shown on a terminal. */
export function checkMessage(message: string): void {
  check(message.length > 0, 'expected a message, found an empty one');
  check(
    message.length <= MESSAGE_MAX_CHARACTERS,
    `expected a bounded message, found one of ${message.length} characters`,
  );
  const found = CONTROL.exec(message);
  check(
    found === null,
    `expected a message without control characters, found ${JSON.stringify(found?.[0])} in ${JSON.stringify(message.slice(0, 200))}`,
  );
}

/** Runs what may throw errors of these classes and no others; undefined when it did. Their messages are held to the same. */
export function expectingOnly<T>(
  classes: readonly (abstract new (...given: never[]) => Error)[],
  work: () => T,
): T | undefined {
  try {
    return work();
  } catch (error) {
    checkExpected(classes, error);
    return undefined;
  }
}

export async function expectingOnlyAsync<T>(
  classes: readonly (abstract new (...given: never[]) => Error)[],
  work: () => Promise<T>,
): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    checkExpected(classes, error);
    return undefined;
  }
}

function checkExpected(
  classes: readonly (abstract new (...given: never[]) => Error)[],
  error: unknown,
): void {
  if (!classes.some((one) => error instanceof one)) throw error;
  checkMessage((error as Error).message);
}

/** What was printed is read as the same again. */
export function checkSame(found: unknown, expected: unknown, what: string): void {
  check(isDeepStrictEqual(found, expected), `${what}: expected ${show(expected)}, found ${show(found)}`);
}

function show(value: unknown): string {
  return (JSON.stringify(value) ?? String(value)).slice(0, 500);
}

/** A place that a message names is a place of the text. Lines and columns from 1, the end of a line included. */
export function checkPosition(text: string, at: { readonly line: number; readonly column: number }): void {
  const lines = text.split('\n');
  const line = lines[at.line - 1];
  check(line !== undefined, `expected a line of 1-${lines.length}, found ${at.line}`);
  check(
    at.column >= 1 && at.column <= line.length + 1,
    `expected a column of 1-${line.length + 1} on line ${at.line}, found ${at.column}`,
  );
}
