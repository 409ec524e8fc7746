import type { z } from 'zod';
import { type DocumentProblem, MAX_FOUND_CHARACTERS, problemsOfIssues } from '../system/document-problem.ts';
import { printable } from '../system/printable.ts';

const MESSAGE_MAX_CHARACTERS = 2_000;
/**
 * A password in force, a code that opens, what a signed text is and the numbers of a key: never said back. Nor what a flow is given or
 * prints, which may be anybody's: what is said here is in the log, too.
 */
const SECRET_MEMBER = /^(?:current|code|key|d|x|jws|jwk|proof|signature|inputs|data|stdout|stderr)$|_jwk$/;

/**
 * What is wrong with a query or a body, one sentence each: `reason: expected a text, found nothing`. The words are those for
 * files that people write. Secrets are told by their kind only.
 */
export function requestFaults(
  issues: readonly z.core.$ZodIssue[],
  { schema, value, part }: { schema: z.ZodType; value: unknown; part: 'query' | 'body' },
): string {
  const isWhole = issues.some(({ path, code }) => path.length === 0 && code === 'invalid_type');
  const context = { text: '', root: null, schema, value, secretName: SECRET_MEMBER };
  // Something else than an object was sent: it is said what, and not what is in it.
  const problems = problemsOfIssues(issues, { ...context, secret: isWhole });
  const sentences = problems.map((problem) => sentenceOf(problem, part));
  return sentences.join('; ').slice(0, MESSAGE_MAX_CHARACTERS);
}

function sentenceOf(problem: DocumentProblem, part: 'query' | 'body'): string {
  const { kind, expected, suggestion } = problem;
  const found = printable(problem.found, MAX_FOUND_CHARACTERS);
  const nearest = suggestion === undefined ? '' : `; did you mean "${suggestion}"?`;
  if (kind === 'unknown_key') {
    const above = printable(problem.path.split('.').slice(0, -1).join('.'), MAX_FOUND_CHARACTERS);
    const where = above === '' ? '' : ` in ${above}`;
    const what = part === 'query' ? 'parameter' : 'member';
    return `unknown ${what} ${found}${where}, expected ${expected}${nearest}`;
  }
  const path = printable(problem.path, MAX_FOUND_CHARACTERS);
  return `${path === '' ? part : path}: expected ${expected}, found ${found}${nearest}`;
}
