import type { Terminal } from '../terminal.ts';

interface Count {
  readonly threshold: number;
  readonly signed: readonly string[];
  readonly missing: readonly string[];
  readonly met: boolean;
}

/** How far a threshold is met, and by whom, a key a line. */
export function signatureLines(
  who: string,
  count: Count,
  terminal: Terminal,
  named: (kid: string) => string = (kid) => kid,
): string[] {
  const mark = count.met ? terminal.paint('green', '✔') : terminal.paint('yellow', '…');
  return [
    `${mark} signed by ${count.signed.length} of the ${count.threshold} ${who} it takes`,
    ...count.signed.map((kid) => `  ${terminal.paint('green', '✔')} ${named(kid)}`),
    ...count.missing.map((kid) => `  ${terminal.paint('dim', '·')} ${named(kid)} has not signed`),
  ];
}
