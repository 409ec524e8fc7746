import { shortDigests, type Terminal } from './terminal.ts';

const WORDS: Readonly<Record<string, string>> = {
  refused: 'refused: ',
  stalled: 'stalled: ',
  retry: 'not yet: ',
};

/** Ends the command with this exit code; what is in the way is said on standard error, the first sentence first. */
export function endWith(
  exitCode: number,
  problems: readonly { readonly kind: string; readonly message: string }[],
  terminal: Terminal,
): void {
  process.exitCode = exitCode;
  if (exitCode === 0 || exitCode === 10) return;
  for (const { kind, message } of problems)
    terminal.note(`edge-agent: ${WORDS[kind] ?? ''}${terminal.json ? message : shortDigests(message)}`);
}
