import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  Lexer,
  type Node,
  parseDocument,
  type YAMLError,
  type YAMLMap,
} from 'yaml';
import type { output, ZodType } from 'zod';
import {
  type DocumentOutcome,
  type DocumentProblem,
  dotted,
  problemsOfIssues,
  sortProblems,
} from './document-problem.ts';
import { documentText } from './document-text.ts';
import { type DocumentPath, type PositionedNode, positionAt } from './text-position.ts';

const MAX_YAML_BYTES = 256 * 1_024;
const MAX_NESTING = 32;
const MAX_ALIASES = 32;
/** Placing a problem takes time in the length of the text; a hostile document has one a line. More than are ever shown. */
const MAX_PLACED = 200;
/** What the lexer puts between tokens and stands for no text: document, end of flow, scalar ahead. */
const SCALAR_MARK = '\u001F';
const LEXER_MARKS = new Set(['\u0002', '\u0018', SCALAR_MARK]);

const TAB = ['a tab', 'spaces for indentation'] as const;

/** YAML's own codes, in the words of somebody who writes a configuration. No source text: it may hold a secret. */
const SYNTAX: Readonly<Record<string, readonly [found: string, expected: string]>> = {
  BAD_DQ_ESCAPE: ['an unknown escape', 'an escape such as \\n or \\", or single quotes'],
  BAD_INDENT: ['wrong indentation', 'the items of one block in one column, and every bracket closed'],
  BAD_SCALAR_START: ['a value that begins with a reserved character', 'quotes around it'],
  BLOCK_AS_IMPLICIT_KEY: [
    'a second ":" or wrong indentation',
    'one "key: value" a line; quotes around a value with ": "',
  ],
  MISSING_CHAR: ['an end that is missing', 'the closing quote or bracket'],
  MULTILINE_IMPLICIT_KEY: ['a key over several lines', 'a key on one line, followed by ":"'],
  MULTIPLE_DOCS: ['a second document', 'one document in the file, without "---" inside'],
  TAB_AS_INDENT: TAB,
  TAG_RESOLVE_FAILED: ['an unknown tag', 'plain values without "!"'],
  UNEXPECTED_TOKEN: [
    'something after the end of a value',
    'one value; quotes around it if it has quotes inside',
  ],
};

/**
 * Reads a YAML 1.2 text of at most 256 KiB (core schema, one document, unique keys, few aliases, little nesting) and holds it to a
 * schema. All problems are told at once, at their line and column. `secret` keeps every value out of the messages.
 */
export function parseYaml<Schema extends ZodType>(
  bytes: Uint8Array | string,
  schema: Schema,
  options: { secret?: boolean; maxBytes?: number } = {},
): DocumentOutcome<output<Schema>> {
  const text = documentText(bytes, options.maxBytes ?? MAX_YAML_BYTES);
  if (typeof text !== 'string') return { kind: 'invalid', problems: [text] };
  const tooDeep = nestingProblem(text);
  if (tooDeep !== null) return { kind: 'invalid', problems: [tooDeep] };

  // The library compares every key with every other; duplicates are found below in one pass.
  const document = parseDocument(text, {
    version: '1.2',
    prettyErrors: false,
    uniqueKeys: false,
    logLevel: 'error',
  });
  const faults = [...document.errors, ...document.warnings]
    .slice(0, MAX_PLACED)
    .map((error) => syntaxProblem(text, error));
  if (faults.length > 0) return { kind: 'invalid', problems: sortProblems(faults) };
  const wrongKeys = keyProblems(text, document.contents);
  if (wrongKeys.length > 0) return { kind: 'invalid', problems: sortProblems(wrongKeys) };

  let raw: unknown;
  try {
    raw = document.toJS({ maxAliasCount: MAX_ALIASES });
  } catch (error) {
    if (!(error instanceof ReferenceError)) throw error;
    const offset = Math.max(0, text.indexOf('*'));
    const expected = `aliases (*name) of anchors set before, at most ${MAX_ALIASES}`;
    return {
      kind: 'invalid',
      problems: [syntax(text, offset, 'an alias that cannot be followed', expected)],
    };
  }
  const parsed = schema.safeParse(raw);
  if (parsed.success) return { kind: 'valid', value: parsed.data, raw };
  const root = document.contents === null ? null : positioned(document.contents, document);
  const context = { text, root, schema, value: raw, secret: options.secret ?? false };
  return { kind: 'invalid', problems: problemsOfIssues(parsed.error.issues, context) };
}

/** Deep brackets and `? ` keys cost the parser minutes; they are found in the token stream before it starts. */
function nestingProblem(text: string): DocumentProblem | null {
  let offset = 0;
  let brackets = 0;
  let dashes = 0;
  let inScalar = false;
  for (const token of new Lexer().lex(text)) {
    if (LEXER_MARKS.has(token)) {
      inScalar = token === SCALAR_MARK;
      continue;
    }
    if (!inScalar) {
      if (token === '[' || token === '{') brackets += 1;
      else if (token === ']' || token === '}') brackets -= 1;
      else if (token === '-') dashes += 1;
      else if (token.startsWith('\n') || token.startsWith('\r')) dashes = 0;
      else if (token === '?') return syntax(text, offset, 'a "? " key', 'a plain key, followed by ":"');
    }
    if (brackets > MAX_NESTING || dashes > MAX_NESTING) {
      return syntax(text, offset, 'deeper nesting', `at most ${MAX_NESTING} levels`);
    }
    inScalar = false;
    offset += token.length;
  }
  return null;
}

function syntaxProblem(text: string, error: YAMLError): DocumentProblem {
  const [found, expected] = SYNTAX[error.code] ?? ['something that is no YAML', 'YAML 1.2'];
  return syntax(text, error.pos[0], found, expected);
}

function syntax(
  text: string,
  offset: number,
  found: string,
  expected: string,
  path: DocumentPath = [],
): DocumentProblem {
  return { kind: 'syntax', path: dotted(path), found, expected, ...positionAt(text, offset) };
}

/** A key twice, and one that a tab is taken into: the library lets both pass. */
function keyProblems(text: string, root: Node | null): DocumentProblem[] {
  const problems: DocumentProblem[] = [];
  const visit = (node: unknown) => {
    if (isSeq(node)) node.items.forEach(visit);
    if (!isMap(node)) return;
    const seen = new Map<string, number>();
    for (const { key, value } of node.items) {
      if (problems.length >= MAX_PLACED) return;
      const name = keyName(key);
      const offset = offsetOf(key);
      const first = seen.get(name);
      if (text[offset] === '\t') problems.push(syntax(text, offset, ...TAB));
      // Records of names leave it out without a word.
      if (name === '__proto__') problems.push(syntax(text, offset, 'the key "__proto__"', 'another name'));
      if (first === undefined) seen.set(name, offset);
      else {
        const found = `the key ${JSON.stringify(name.slice(0, 64))} again`;
        problems.push(
          syntax(text, offset, found, `each key once (first on line ${positionAt(text, first).line})`),
        );
      }
      visit(value);
    }
  };
  visit(root);
  return problems;
}

function positioned(node: Node, document: Document): PositionedNode {
  return {
    offset: offsetOf(node),
    child(segment) {
      const target = isAlias(node) ? node.resolve(document) : node;
      if (isSeq(target)) {
        const item = target.items[segment as number] as Node | undefined;
        return item === undefined ? null : { keyOffset: null, value: positioned(item, document) };
      }
      if (!isMap(target)) return null;
      const pair = (target as YAMLMap<Node, Node | null>).items.find(
        ({ key }) => keyName(key) === String(segment),
      );
      if (pair === undefined) return null;
      const keyOffset = offsetOf(pair.key);
      const value =
        pair.value === null ? { offset: keyOffset, child: () => null } : positioned(pair.value, document);
      return { keyOffset, value };
    },
  };
}

function keyName(key: unknown): string {
  return isScalar(key) ? String(key.value) : String(key);
}

function offsetOf(node: unknown): number {
  return (node as Node | null)?.range?.[0] ?? 0;
}
