import type { PositionedNode } from './text-position.ts';

const MAX_NESTING = 200;

export type JsonScan =
  | { readonly kind: 'scanned'; readonly root: PositionedNode }
  | { readonly kind: 'broken'; readonly offset: number; readonly expected: string };

interface Child {
  readonly keyOffset: number | null;
  readonly value: PositionedNode;
}

class Broken extends Error {
  readonly offset: number;
  readonly expected: string;

  constructor(offset: number, expected: string) {
    super(expected);
    this.offset = offset;
    this.expected = expected;
  }
}

/** Where every value of a JSON text (RFC 8259) stands, or the first place where it is none. Values come from JSON.parse, not from here. */
export function scanJson(text: string): JsonScan {
  let at = 0;
  const matchHere = (pattern: RegExp, expected: string): string => {
    pattern.lastIndex = at;
    const match = pattern.exec(text);
    if (match === null) throw new Broken(at, expected);
    at = pattern.lastIndex;
    return match[0];
  };
  const skipSpace = () => void matchHere(/[ \t\n\r]*/y, '');
  const string = () =>
    JSON.parse(matchHere(STRING, 'a text in double quotes, closed, without raw line breaks')) as string;

  /** The members of an object or list, after its opening bracket. */
  const members = (close: string, member: (index: number) => void) => {
    skipSpace();
    if (text[at] === close) {
      at += 1;
      return;
    }
    for (let index = 0; ; index += 1) {
      member(index);
      skipSpace();
      const mark = matchHere(close === '}' ? /[,}]/y : /[,\]]/y, `"," or "${close}"`);
      if (mark === close) return;
      skipSpace();
    }
  };
  const value = (depth: number): PositionedNode => {
    if (depth > MAX_NESTING) throw new Broken(at, `at most ${MAX_NESTING} levels of nesting`);
    const offset = at;
    const children = new Map<string, Child>();
    if (text[at] === '{') {
      at += 1;
      members('}', () => {
        const keyOffset = at;
        const key = string();
        skipSpace();
        matchHere(/:/y, '":" after a key');
        skipSpace();
        children.set(key, { keyOffset, value: value(depth + 1) });
      });
    } else if (text[at] === '[') {
      at += 1;
      members(']', (index) => void children.set(String(index), { keyOffset: null, value: value(depth + 1) }));
    } else if (text[at] === '"') string();
    else matchHere(/(?:true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)/y, 'a value');
    return { offset, child: (segment) => children.get(String(segment)) ?? null };
  };

  try {
    skipSpace();
    const root = value(0);
    skipSpace();
    if (at < text.length) throw new Broken(at, 'nothing after the end of the document');
    return { kind: 'scanned', root };
  } catch (error) {
    if (error instanceof Broken) return { kind: 'broken', offset: error.offset, expected: error.expected };
    throw error;
  }
}

const STRING = /"(?:[^"\\\p{Cc}]|[\u007f-\u009f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/uy;
