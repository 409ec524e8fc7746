import { printable } from '../system/printable.ts';

const MAX_DEPTH = 32;
const QUOTE = 0x22;
const COLON = 0x3a;
const OPEN_BRACKET = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

/** Of whole texts, so that nothing of one is left for the next. */
const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

type StrictJson =
  | { readonly kind: 'parsed'; readonly value: unknown }
  | { readonly kind: 'malformed'; readonly message: string };

/**
 * JSON in which two readers cannot see different things: UTF-8 without a byte order mark, no name twice in an object
 * (RFC 8259 section 4 leaves the winner open), at most 32 levels deep. One linear pass, whatever the input.
 */
export function parseStrictJson(bytes: Uint8Array): StrictJson {
  let text: string;
  try {
    text = UTF8.decode(bytes);
  } catch {
    return { kind: 'malformed', message: 'expected UTF-8 text' };
  }
  try {
    const fault = structureFault(text);
    if (fault !== null) return { kind: 'malformed', message: fault };
    return { kind: 'parsed', value: JSON.parse(text) };
  } catch {
    return { kind: 'malformed', message: 'expected JSON' };
  }
}

/** What JSON.parse would let pass. Text that is no JSON at all may go either way here: JSON.parse has the last word. */
function structureFault(text: string): string | null {
  const open: (Set<string> | null)[] = [];
  let lastString = '';
  for (let at = 0; at < text.length; at += 1) {
    switch (text.charCodeAt(at)) {
      case QUOTE: {
        const end = endOfString(text, at);
        lastString = text.slice(at, end + 1);
        at = end;
        break;
      }
      case OPEN_BRACE:
      case OPEN_BRACKET:
        open.push(text.charCodeAt(at) === OPEN_BRACE ? new Set() : null);
        if (open.length > MAX_DEPTH) return `expected at most ${MAX_DEPTH} levels of nesting`;
        break;
      case CLOSE_BRACE:
      case CLOSE_BRACKET:
        open.pop();
        break;
      case COLON: {
        const names = open.at(-1);
        if (names === null || names === undefined) break;
        // Compared as read, not as written: "a" and "\u0061" are one name.
        const name = String(JSON.parse(lastString));
        if (names.has(name))
          return `expected each name once in an object, found ${printable(lastString, 80)} twice`;
        names.add(name);
        break;
      }
    }
  }
  return null;
}

function endOfString(text: string, start: number): number {
  let at = start + 1;
  while (at < text.length && text.charCodeAt(at) !== QUOTE) at += text.charCodeAt(at) === BACKSLASH ? 2 : 1;
  return at;
}
