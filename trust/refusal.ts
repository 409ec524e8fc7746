import type { z } from 'zod';
import type { Refused } from '../reconciler/ports.ts';
import type { RefusalCode } from '../schemas/reasons.ts';
import { printable } from '../system/printable.ts';

const MESSAGE_MAX_CHARACTERS = 2_000;

/** Not believed: exit 3 (contract, section 5). What the message quotes may come from anybody. */
export function refused(code: RefusalCode, message: string): Refused {
  return { kind: 'refused', code, message: printable(message, MESSAGE_MAX_CHARACTERS) };
}

const FAULT_MAX_CHARACTERS = 300;

/** The first fault of a document, with where it is: `roles.root.threshold: expected …`. */
export function firstFault(error: z.ZodError): string {
  const issue = error.issues[0];
  if (issue === undefined) return 'expected another form';
  const where = issue.path.map(String).join('.');
  // the library's sentence, in the words of all our messages
  const message = issue.message
    .replace(/^Invalid input: /, '')
    .replace(/, received (.+)$/, (_, found: string) => `, found ${found === 'undefined' ? 'none' : found}`);
  const text = where === '' ? message : `${where}: ${message}`;
  return printable(text, FAULT_MAX_CHARACTERS);
}
