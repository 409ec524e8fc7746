import type { ZodType } from 'zod';
import type { $ZodIssue } from 'zod/v4/core';
import { nearestName } from './nearest-name.ts';
import { printable } from './printable.ts';
import { keysAt } from './schema-keys.ts';
import {
  type DocumentPath,
  locate,
  type PositionedNode,
  positionAt,
  type TextPosition,
} from './text-position.ts';

/** One thing that is wrong with a file that a person wrote. */
export interface DocumentProblem extends TextPosition {
  readonly kind: 'syntax' | 'unknown_key' | 'missing_key' | 'value';
  /** Dotted, as in `source.interval` or `flows[2].id`; empty for the whole document. */
  readonly path: string;
  readonly found: string;
  readonly expected: string;
  readonly suggestion?: string;
}

/** A document that was read: its value, or everything that is wrong with it in the order of the text. */
export type DocumentOutcome<T> =
  | { readonly kind: 'valid'; readonly value: T; readonly raw: unknown }
  | { readonly kind: 'invalid'; readonly problems: readonly DocumentProblem[] };

const MAX_PROBLEMS = 50;
/** Placing an issue takes time in the length of the text; a hostile document has as many as it likes. */
const MAX_ISSUES = 200;
const MAX_SHOWN_CHARACTERS = 60;
export const MAX_FOUND_CHARACTERS = 400;
const SECRET_NAME = /pass|secret|token|credential|auth|private|api_?key|access_?key|^env$/i;

/** `agent.yaml:12:3: source.interval: found "fast", expected a duration such as 30s`. */
export function formatProblem(file: string, problem: DocumentProblem): string {
  const { expected, suggestion } = problem;
  const path = printable(problem.path, MAX_FOUND_CHARACTERS);
  const found = printable(problem.found, MAX_FOUND_CHARACTERS);
  const at = `${file}:${problem.line}:${problem.column}: `;
  const nearest = suggestion === undefined ? '' : `; did you mean "${suggestion}"?`;
  switch (problem.kind) {
    case 'syntax':
      return `${at}found ${found}, expected ${expected}`;
    case 'unknown_key':
      return `${at}unknown key ${found} — expected ${expected}${nearest}`;
    case 'missing_key':
      return `${at}missing key "${path}" — expected ${expected}`;
    case 'value':
      return `${at}${path === '' ? '' : `${path}: `}found ${found}, expected ${expected}${nearest}`;
  }
}

export interface IssueContext {
  readonly text: string;
  readonly root: PositionedNode | null;
  readonly schema: ZodType;
  readonly value: unknown;
  /** True: no value is ever shown (secrets.yaml). */
  readonly secret: boolean;
  /** Beside those whose names say that they are secret. */
  readonly secretName?: RegExp;
}

/** What zod found, told in the words and at the places of the text. */
export function problemsOfIssues(issues: readonly $ZodIssue[], context: IssueContext): DocumentProblem[] {
  const problems = issues.slice(0, MAX_ISSUES).flatMap((issue) => problemsOf(issue, [], context));
  return sortProblems(problems);
}

export function sortProblems(problems: readonly DocumentProblem[]): DocumentProblem[] {
  return [...problems].sort((a, b) => a.line - b.line || a.column - b.column).slice(0, MAX_PROBLEMS);
}

function problemsOf(issue: $ZodIssue, above: DocumentPath, context: IssueContext): DocumentProblem[] {
  const path = [...above, ...issue.path];
  const at = (where: DocumentPath, what: 'value' | 'key') => ({
    path: dotted(where),
    ...positionAt(context.text, locate(context.root, where, what)),
  });
  if (issue.code === 'unrecognized_keys') {
    const known = keysAt(context.schema, context.value, path);
    const present = new Set(Object.keys(valueAt(context.value, path) ?? {}));
    const free = known.filter((key) => !present.has(key));
    const expected = known.length === 0 ? 'no such key' : `one of ${known.join(', ')}`;
    return issue.keys.slice(0, MAX_PROBLEMS).map((key) => {
      const suggestion = nearestName(key, free) ?? undefined;
      return { kind: 'unknown_key', ...at([...path, key], 'key'), found: quoted(key), expected, suggestion };
    });
  }
  if (issue.code === 'invalid_key') {
    const expected = issue.issues[0] === undefined ? 'another key' : expectation(issue.issues[0]).expected;
    return [{ kind: 'value', ...at(path, 'key'), found: `the key ${quoted(String(path.at(-1)))}`, expected }];
  }
  if (issue.code === 'invalid_union' && issue.errors.length > 0) {
    // The branch that got furthest is the one that was meant.
    const nearest = issue.errors.toSorted(
      (a, b) => depth(b) - depth(a) || a.length - b.length,
    )[0] as $ZodIssue[];
    if (depth(nearest) > 0) return nearest.flatMap((inner) => problemsOf(inner, path, context));
    const choices = issue.errors.flatMap((branch) =>
      branch.slice(0, 1).map((inner) => expectation(inner).expected),
    );
    const expected = [...new Set(choices)].join(' or ');
    return [
      {
        kind: 'value',
        ...at(path, 'value'),
        found: shown(valueAt(context.value, path), path, context),
        expected,
      },
    ];
  }
  const { expected, found } = expectation(issue);
  const value = valueAt(context.value, path);
  if (value === undefined && path.length > 0)
    return [{ kind: 'missing_key', ...at(path, 'value'), found: 'nothing', expected }];
  const suggestion =
    typeof value === 'string' && !hidden(path, context)
      ? (nearestName(value, choicesOf(issue)) ?? undefined)
      : undefined;
  const told = found !== null && !hidden(path, context) ? found : shown(value, path, context);
  return [{ kind: 'value', ...at(path, 'value'), found: told, expected, suggestion }];
}

function depth(issues: readonly $ZodIssue[]): number {
  return Math.max(0, ...issues.map((issue) => issue.path.length));
}

/** A schema's own message says "expected …, found …"; zod's general ones are put into words here. */
function expectation(issue: $ZodIssue): { expected: string; found: string | null } {
  if (issue.message.startsWith('expected ')) {
    const [expected, found] = issue.message.slice('expected '.length).split(', found ');
    return { expected: expected as string, found: found ?? null };
  }
  return { expected: generalExpectation(issue), found: null };
}

const TYPES: Readonly<Record<string, string>> = {
  string: 'a text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  object: 'keys with values',
  record: 'keys with values',
  array: 'a list',
  null: 'nothing',
};

function generalExpectation(issue: $ZodIssue): string {
  switch (issue.code) {
    case 'invalid_type':
      return TYPES[issue.expected] ?? issue.expected;
    case 'invalid_value':
    case 'invalid_union':
      return oneOf(choicesOf(issue));
    case 'too_small':
      return `${issue.inclusive === false ? 'more than' : 'at least'} ${amount(issue.minimum, issue.origin)}`;
    case 'too_big':
      return `${issue.inclusive === false ? 'less than' : 'at most'} ${amount(issue.maximum, issue.origin)}`;
    case 'invalid_format':
      return issue.pattern === undefined
        ? `a text in the format ${issue.format}`
        : `a text that matches ${issue.pattern}`;
    case 'not_multiple_of':
      return `a multiple of ${issue.divisor}`;
    default:
      return issue.message;
  }
}

/** The values that an enum or the discriminator of a union takes. */
function choicesOf(issue: $ZodIssue): unknown[] {
  if (issue.code === 'invalid_value') return issue.values;
  return issue.code === 'invalid_union' && 'options' in issue ? (issue.options as unknown[]) : [];
}

function oneOf(values: readonly unknown[]): string {
  if (values.length === 0) return 'another value';
  const listed = values.map((value) => JSON.stringify(value)).join(', ');
  return values.length === 1 ? listed : `one of ${listed}`;
}

function amount(count: number | bigint, origin: string): string {
  const units: Readonly<Record<string, string>> = { string: ' characters', array: ' items', record: ' keys' };
  return `${count}${units[origin] ?? ''}`;
}

function valueAt(value: unknown, path: DocumentPath): unknown {
  let found = value;
  for (const segment of path) {
    if (typeof found !== 'object' || found === null || !Object.hasOwn(found, segment)) return undefined;
    found = (found as Record<PropertyKey, unknown>)[segment];
  }
  return found;
}

function hidden(path: DocumentPath, context: IssueContext): boolean {
  const isSecret = (name: string) => SECRET_NAME.test(name) || context.secretName?.test(name) === true;
  return context.secret || path.some((segment) => typeof segment === 'string' && isSecret(segment));
}

/** What was found, short; secrets by their kind only, and never the user info of a URL. */
function shown(value: unknown, path: DocumentPath, context: IssueContext): string {
  if (value === null || value === undefined) return 'nothing';
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value === 'object') return 'keys with values';
  if (hidden(path, context)) return `a ${typeof value === 'string' ? 'text' : typeof value} (not shown)`;
  if (typeof value !== 'string') return JSON.stringify(value);
  return quoted(value.replace(/(:\/\/)[^/?#]*@/, '$1***@'));
}

function quoted(text: string): string {
  return JSON.stringify(
    text.length > MAX_SHOWN_CHARACTERS ? `${text.slice(0, MAX_SHOWN_CHARACTERS)}…` : text,
  );
}

/** `flows[2].id`. */
export function dotted(path: DocumentPath): string {
  return path
    .map((segment, index) =>
      typeof segment === 'number' ? `[${segment}]` : `${index === 0 ? '' : '.'}${String(segment)}`,
    )
    .join('');
}
