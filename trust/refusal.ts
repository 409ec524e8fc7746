import type { z } from 'zod';
import type { Refused } from '../reconciler/ports.ts';
import type { RefusalCode } from '../schemas/reasons.ts';

/** Not believed: exit 3 (contract, section 5). */
export function refused(code: RefusalCode, message: string): Refused {
  return { kind: 'refused', code, message };
}

const FAULT_MAX_CHARACTERS = 300;

/** The first fault of a document, with where it is: `roles.root.threshold: expected …`. */
export function firstFault(error: z.ZodError): string {
  const issue = error.issues[0];
  if (issue === undefined) return 'expected another form';
  const where = issue.path.map(String).join('.');
  const text = where === '' ? issue.message : `${where}: ${issue.message}`;
  return text.slice(0, FAULT_MAX_CHARACTERS);
}
