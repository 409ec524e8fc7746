/** Which way of spelling bytes, and with which bytes an escape begins. */
export interface Spelling {
  readonly leads: string;
  /** Where its escapes matter: what only leaves bytes out is of no interest where no secret has begun. */
  readonly within: 'text' | 'secret' | 'encoded secret';
  /**
   * Reads an escape at the beginning of the first `length` of `text`, which begins with a lead. Answers how many bytes it
   * has and puts what they mean into `out` (empty when it is given); 0: it is none; MORE: more is needed to say.
   * `since`: how many bytes passed after the last escape. Asks for 24 at most.
   */
  read(text: readonly number[], length: number, since: number, out: number[]): number;
}

export const MORE = -1;

const HEX = new Int8Array(256).fill(-1);
for (const [value, digits] of [
  '0',
  '1',
  '2',
  '3',
  '4',
  '5',
  '6',
  '7',
  '8',
  '9',
  'aA',
  'bB',
  'cC',
  'dD',
  'eE',
  'fF',
].entries()) {
  for (const digit of digits) HEX[digit.charCodeAt(0)] = value;
}
const code = (char: string): number => char.charCodeAt(0);
const BACKSLASH_BYTE = code('\\');
const SMALL_U = code('u');

/** The value of the `digits` hex digits from `at` on; MORE; or -2 when they are none. */
function hexValue(text: readonly number[], length: number, at: number, digits: number): number {
  let value = 0;
  for (let index = at; index < at + digits; index++) {
    if (index >= length) return MORE;
    const digit = HEX[text[index] as number] as number;
    if (digit < 0) return -2;
    value = value * 16 + digit;
  }
  return value;
}

function putCharacter(codePoint: number, out: number[]): void {
  if (codePoint < 0x80) out.push(codePoint);
  else out.push(...Buffer.from(codePoint > 0x10_ff_ff ? '\ufffd' : String.fromCodePoint(codePoint), 'utf8'));
}

/** RFC 3986, section 2.1; any character may be written so, and both cases of hex. */
export const PERCENT: Spelling = {
  leads: '%',
  within: 'text',
  read(text, length, _since, out) {
    const value = hexValue(text, length, 1, 2);
    if (value === MORE) return MORE;
    if (value < 0) return 0;
    out.push(value);
    return 3;
  },
};

/** What one character after a backslash means: letters of C and JSON, and punctuation itself, as shells and PHP write it. */
const SHORT_ESCAPES = new Int16Array(256).fill(-1);
for (let byte = 0x20; byte < 0x7f; byte++)
  if (!/[\da-z]/i.test(String.fromCharCode(byte))) SHORT_ESCAPES[byte] = byte;
for (const [letter, meant] of Object.entries({ a: 7, b: 8, t: 9, n: 10, v: 11, f: 12, r: 13, e: 27 })) {
  SHORT_ESCAPES[code(letter)] = meant;
}

/**
 * `\n`, `\"`, `\u0041` with surrogate pairs (JSON, RFC 8259, section 7), `\x41`, `\U00000041` and octal (C, Python, shells),
 * `\u{41}` (JavaScript, Rust). `\xe9` is the byte; that a language means U+00E9 by it is in the Latin-1 form.
 */
export const BACKSLASH: Spelling = {
  leads: '\\',
  within: 'text',
  read(text, length, _since, out) {
    if (length < 2) return MORE;
    const kind = text[1] as number;
    const short = SHORT_ESCAPES[kind] as number;
    if (short >= 0) {
      out.push(short);
      return 2;
    }
    if (kind === SMALL_U)
      return text[2] === code('{') && length > 2
        ? readBraced(text, length, out)
        : readUnit(text, length, out);
    if (kind === code('x') || kind === code('U')) {
      const digits = kind === code('x') ? 2 : 8;
      const value = hexValue(text, length, 2, digits);
      if (value < 0) return value === MORE ? MORE : 0;
      if (digits === 2) out.push(value);
      else putCharacter(value, out);
      return 2 + digits;
    }
    return readOctal(text, length, out);
  },
};

/** One to three digits, no more than 0377. */
function readOctal(text: readonly number[], length: number, out: number[]): number {
  let value = 0;
  let at = 1;
  for (; at < 4; at++) {
    if (at >= length) return MORE;
    const digit = (text[at] as number) - code('0');
    if (digit < 0 || digit > 7 || value * 8 + digit > 0xff) break;
    value = value * 8 + digit;
  }
  if (at === 1) return 0;
  out.push(value);
  return at;
}

function readBraced(text: readonly number[], length: number, out: number[]): number {
  let value = 0;
  for (let at = 3; at <= 9; at++) {
    if (at >= length) return MORE;
    const digit = HEX[text[at] as number] as number;
    if (digit < 0) {
      if (text[at] !== code('}') || at === 3) return 0;
      putCharacter(value, out);
      return at + 1;
    }
    value = value * 16 + digit;
  }
  return 0;
}

function readUnit(text: readonly number[], length: number, out: number[]): number {
  const unit = hexValue(text, length, 2, 4);
  if (unit < 0) return unit === MORE ? MORE : 0;
  if (unit >= 0xd8_00 && unit <= 0xdb_ff) {
    // Half of a character: the other half comes next, as far as it has come.
    const begun = (length < 7 || text[6] === BACKSLASH_BYTE) && (length < 8 || text[7] === SMALL_U);
    const low = begun ? (length < 8 ? MORE : hexValue(text, length, 8, 4)) : -2;
    if (low === MORE) return MORE;
    if (low >= 0xdc_00 && low <= 0xdf_ff) {
      putCharacter(0x1_00_00 + ((unit - 0xd8_00) << 10) + (low - 0xdc_00), out);
      return 12;
    }
  }
  putCharacter(unit, out);
  return 6;
}

const ENTITIES: Readonly<Record<string, number>> = { amp: 0x26, lt: 0x3c, gt: 0x3e, quot: 0x22, apos: 0x27 };
const ENTITY_MAX_BYTES = 10;

/** Character references of HTML and XML: the five names that encoders write, and numbers. */
export const ENTITY: Spelling = {
  leads: '&',
  within: 'text',
  read(text, length, _since, out) {
    const last = text[length - 1] as number;
    const isEnd = last === code(';');
    const inside =
      isEnd || last === code('#') || HEX[last] !== -1 || (last >= code('a') && last <= code('z'));
    if (length === 1) return MORE;
    if (!inside) return 0;
    if (!isEnd) return length < ENTITY_MAX_BYTES ? MORE : 0;
    const name = String.fromCharCode(...text.slice(1, length - 1));
    const [, hex, decimal] = /^#(?:[xX]([\da-fA-F]{1,6})|(\d{1,7}))$/.exec(name) ?? [];
    const digits = hex ?? decimal;
    const value =
      digits === undefined ? ENTITIES[name] : Number.parseInt(digits, hex === undefined ? 10 : 16);
    if (value === undefined) return 0;
    putCharacter(value, out);
    return length;
  },
};

/** Nobody breaks lines shorter: a column of single digits is no wrapped text. */
const LINE_MIN_BYTES = 16;
const INDENTATION_MAX_BYTES = 16;

/** A line break inside base64 or hex (MIME: 76 columns, PEM: 64), with up to 16 bytes of indentation. */
export const LINE_BREAK: Spelling = {
  leads: '\r\n',
  within: 'encoded secret',
  read(text, length, since) {
    if (since < LINE_MIN_BYTES) return 0;
    let at = text[0] === code('\r') ? 1 : 0;
    if (at >= length) return MORE;
    if (text[at] !== code('\n')) return 0;
    const most = ++at + INDENTATION_MAX_BYTES;
    while (at < length && at < most && (text[at] === 0x20 || text[at] === 0x09)) at++;
    return at === length && at < most ? MORE : at;
  },
};

/** The NUL between two characters of UTF-16, in either order of bytes: what Windows programs print. */
export const UTF16_NUL: Spelling = {
  leads: '\0',
  within: 'secret',
  read: (_text, _length, since) => (since === 0 ? 0 : 1),
};
