import type { output, ZodType } from 'zod';
import { type DocumentOutcome, problemsOfIssues } from './document-problem.ts';
import { documentText } from './document-text.ts';
import { scanJson } from './json-positions.ts';
import { positionAt } from './text-position.ts';

/**
 * Reads a JSON text (RFC 8259, as JSON.parse does) of at most `maxBytes` and holds it to a schema. Problems are told at their line
 * and column, as `parseYaml` tells them; places are only looked for when there is a problem.
 */
export function parseJson<Schema extends ZodType>(
  bytes: Uint8Array | string,
  schema: Schema,
  options: { maxBytes: number; secret?: boolean },
): DocumentOutcome<output<Schema>> {
  const text = documentText(bytes, options.maxBytes);
  if (typeof text !== 'string') return { kind: 'invalid', problems: [text] };
  let raw: unknown;
  try {
    raw = JSON.parse(text);
  } catch {
    return { kind: 'invalid', problems: [syntaxProblem(text)] };
  }
  const parsed = schema.safeParse(raw);
  if (parsed.success) return { kind: 'valid', value: parsed.data, raw };
  const scan = scanJson(text);
  const root = scan.kind === 'scanned' ? scan.root : null;
  const context = { text, root, schema, value: raw, secret: options.secret ?? false };
  return { kind: 'invalid', problems: problemsOfIssues(parsed.error.issues, context) };
}

function syntaxProblem(text: string) {
  const scan = scanJson(text);
  const [offset, expected] = scan.kind === 'broken' ? [scan.offset, scan.expected] : [0, 'JSON'];
  const found = offset >= text.length ? 'the end of the file' : foundAt(text, offset);
  return { kind: 'syntax', path: '', found, expected, ...positionAt(text, offset) } as const;
}

/** The character there; after a comma that nothing follows, that comma is what is wrong. */
function foundAt(text: string, offset: number): string {
  const [character = ''] = text.slice(offset, offset + 2);
  const closes = character === '}' || character === ']';
  if (closes && /,\s*$/.test(text.slice(Math.max(0, offset - 256), offset)))
    return `"${character}" after a comma`;
  return JSON.stringify(character);
}
