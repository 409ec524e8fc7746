import { OperationError } from '../agent/operation-error.ts';
import { EXIT } from './exit-codes.ts';
import type { Terminal } from './terminal.ts';

/** A command that ends with something other than success, told already or to be told. */
export class CommandFailure extends Error {
  override name = 'CommandFailure';
  readonly code: string;
  readonly exitCode: number;
  readonly details: unknown;

  constructor(code: string, message: string, exitCode: number, details?: unknown) {
    super(message);
    this.code = code;
    this.exitCode = exitCode;
    this.details = details;
  }
}

/** Says an error once on standard error, and with `--output json` as one document on standard output too; the exit code. */
export function tellFailure(error: unknown, terminal: Terminal): number {
  const { code, message, exitCode, details } = describe(error);
  terminal.document({ error: { code, message, ...(details === undefined ? {} : { details }) } });
  terminal.note(`edge-agent: ${message}`);
  if (exitCode === EXIT.bug && error instanceof Error && error.stack !== undefined) {
    terminal.note(error.stack);
    terminal.note('This is a bug of edge-agent. Please report it with the lines above.');
  }
  return exitCode;
}

function describe(error: unknown): { code: string; message: string; exitCode: number; details?: unknown } {
  if (error instanceof OperationError || error instanceof CommandFailure) {
    const { code, message, exitCode, details } = error;
    return { code, message, exitCode, details };
  }
  const message = error instanceof Error ? error.message : String(error);
  return { code: 'internal', message, exitCode: EXIT.bug };
}
