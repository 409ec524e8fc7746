import { isUtf8 } from 'node:buffer';
import type { DocumentProblem } from './document-problem.ts';
import { positionAt } from './text-position.ts';

/** The text of a file, without byte order mark, or why it is none: too long, not UTF-8, a NUL. */
export function documentText(bytes: Uint8Array | string, maxBytes: number): string | DocumentProblem {
  const problem = (text: string, offset: number, found: string, expected: string): DocumentProblem => {
    return { kind: 'syntax', path: '', found, expected, ...positionAt(text, offset) };
  };
  const length = typeof bytes === 'string' ? Buffer.byteLength(bytes) : bytes.byteLength;
  if (length > maxBytes) {
    return problem('', 0, `${length} bytes`, `at most ${maxBytes}`);
  }
  if (typeof bytes !== 'string' && !isUtf8(bytes)) {
    const lenient = new TextDecoder().decode(bytes);
    return problem(
      lenient,
      Math.max(0, lenient.indexOf('\uFFFD')),
      'bytes that are no UTF-8',
      'a text in UTF-8',
    );
  }
  const text = typeof bytes === 'string' ? bytes : new TextDecoder().decode(bytes);
  const nul = text.indexOf('\0');
  return nul === -1 ? text : problem(text, nul, 'a NUL character', 'text only');
}
