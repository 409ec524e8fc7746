import type { Terminal } from './terminal.ts';

/** Ends the command with this exit code; what is in the way is said on standard error, the first sentence first. */
export function endWith(
  exitCode: number,
  problems: readonly { readonly message: string }[],
  terminal: Terminal,
): void {
  process.exitCode = exitCode;
  if (exitCode === 0 || exitCode === 10) return;
  for (const { message } of problems) terminal.note(`edge-agent: ${message}`);
}
