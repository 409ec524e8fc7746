import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createRedactor } from '../../system/redaction.ts';
import { secretForms } from '../../system/secret-forms.ts';

/** Bytes as a Latin-1 string, so that what is no UTF-8 can be compared and printed. */
const latin1 = (bytes: Uint8Array) => Buffer.from(bytes).toString('latin1');
const raw = (text: string) => Buffer.from(text, 'latin1');

function redact(secrets: readonly string[], pieces: readonly Uint8Array[]): string {
  const stream = createRedactor(secrets).stream();
  return latin1(Buffer.concat([...pieces.map((piece) => stream.write(piece)), stream.end()]));
}

/** `cuts` as fractions of the length, empty pieces among them. */
function split(bytes: Uint8Array, cuts: readonly number[]): Uint8Array[] {
  const points = [
    0,
    ...cuts.map((cut) => Math.floor(cut * bytes.length)).sort((a, b) => a - b),
    bytes.length,
  ];
  return points.slice(1).map((point, index) => bytes.subarray(points[index], point));
}

/** The mark as it is, and in UTF-16. */
const MARK = /\[redacted\]|\[\0r\0e\0d\0a\0c\0t\0e\0d\0\]/;

const CUTS = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 12 });
/** Letters of many scripts, and all that encoders treat in a way of their own. */
const UNIT = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(...'abcXYZ0129'.split('')) },
  { weight: 3, arbitrary: fc.constantFrom(...'%+/=&;\\"\'<>#?@:{}[] !$*()`|^~,.-_'.split('')) },
  { weight: 2, arbitrary: fc.constantFrom('é', 'ß', '€', '漢', '🔑', '\t', '\u0001', '\u2028') },
  { weight: 1, arbitrary: fc.string({ unit: 'grapheme', minLength: 1, maxLength: 1 }) },
);
const SECRET = fc
  .array(UNIT, { minLength: 4, maxLength: 20 })
  .map((units) => units.join('').toWellFormed().trim())
  .filter((secret) => secret.length >= 4 && !/[\r\n]/.test(secret));

/** A choice for each character: how this one is written. */
const CHOICES = fc.infiniteStream(fc.nat(7));
type Escape = (character: string, choice: number) => string;
type Spell = (secret: string, choices: Iterable<number>) => Buffer;

const perCharacter =
  (escape: Escape): Spell =>
  (secret, choices) => {
    const choice = choices[Symbol.iterator]();
    return Buffer.from(
      Array.from(secret)
        .map((one) => escape(one, choice.next().value ?? 0))
        .join(''),
      'utf8',
    );
  };
const percent = (character: string, upper: boolean) =>
  [...Buffer.from(character, 'utf8')]
    .map((byte) => byte.toString(16).padStart(2, '0'))
    .map((hex) => `%${upper ? hex.toUpperCase() : hex}`)
    .join('');
const units = (character: string, upper: boolean) =>
  Array.from({ length: character.length }, (_, index) =>
    character.charCodeAt(index).toString(16).padStart(4, '0'),
  )
    .map((hex) => `\\u${upper ? hex.toUpperCase() : hex}`)
    .join('');
const json = (character: string) => JSON.stringify(character).slice(1, -1);
const octal = (character: string) =>
  [...Buffer.from(character, 'utf8')].map((byte) => `\\${byte.toString(8).padStart(3, '0')}`).join('');
const codePoint = (character: string) => character.codePointAt(0) as number;

/** What only has to be escaped is; the rest as the choices say. */
const percentEscape: Escape = (one, choice) =>
  choice < 4 && !'%+'.includes(one) && (one !== ' ' || choice < 2) ? one : percent(one, choice % 2 === 0);
const jsonEscape: Escape = (one, choice) => {
  if (choice < 3) return json(one);
  if (choice === 3 && one === '/') return '\\/';
  return units(one, choice % 2 === 0);
};
const htmlEscape: Escape = (one, choice) => {
  const named: Record<string, string> = {
    '&': '&amp;',
    '<': '&lt;',
    '>': '&gt;',
    '"': '&quot;',
    "'": '&apos;',
  };
  if (choice < 4 && one !== '&') return one;
  if (choice < 6 && named[one] !== undefined) return named[one];
  return choice % 2 === 0 ? `&#${codePoint(one)};` : `&#x${codePoint(one).toString(16).padStart(4, '0')};`;
};
const shellEscape: Escape = (one, choice) => {
  if (choice === 0) return octal(one);
  if (choice === 1)
    return [...Buffer.from(one)].map((byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join('');
  if (choice === 2) return `\\u{${codePoint(one).toString(16)}}`;
  if (choice === 3) return `\\U${codePoint(one).toString(16).padStart(8, '0')}`;
  return /[\w]/.test(one) || one > '\x7e' || one < ' ' ? one : `\\${one}`;
};
const swapped = (text: string) => Buffer.from(text, 'utf16le').swap16();

const SPELLINGS: Record<string, Spell> = {
  'as it is': (secret) => Buffer.from(secret),
  'in Latin-1 where that has it': (secret) =>
    Buffer.from(secret, /^[\0-\xff]*$/.test(secret) ? 'latin1' : 'utf8'),
  'URL-encoded in part, in either case': perCharacter(percentEscape),
  'URL-encoded as a form': (secret) => Buffer.from(new URLSearchParams({ a: secret }).toString().slice(2)),
  'URL-encoded twice': (secret, choices) =>
    Buffer.from(encodeURIComponent(perCharacter(percentEscape)(secret, choices).toString('utf8'))),
  'JSON-escaped, short and \\u in either case': perCharacter(jsonEscape),
  'JSON-escaped inside a JSON string': (secret, choices) =>
    Buffer.from(JSON.stringify(perCharacter(jsonEscape)(secret, choices).toString('utf8')).slice(1, -1)),
  'URL-encoded inside JSON': (secret, choices) =>
    Buffer.from(
      JSON.stringify(perCharacter(percentEscape)(secret, choices).toString('utf8'))
        .slice(1, -1)
        .replaceAll('/', '\\/'),
    ),
  'escaped for HTML': perCharacter(htmlEscape),
  'escaped for a shell, in octal, by \\x, \\U, \\u{}': perCharacter(shellEscape),
  'in hex': (secret, choices) => {
    const hex = Buffer.from(secret).toString('hex');
    return Buffer.from([...choices].length % 2 === 0 ? hex : hex.toUpperCase());
  },
  'in UTF-16, the low byte first': (secret) => Buffer.from(secret, 'utf16le'),
  'in UTF-16, the high byte first': (secret) => swapped(secret),
};

const ENCODINGS: Record<string, (bytes: Buffer) => string> = {
  base64: (bytes) => bytes.toString('base64'),
  'base64 without padding': (bytes) => bytes.toString('base64').replaceAll('=', ''),
  base64url: (bytes) => bytes.toString('base64url'),
  'base64 inside a URL': (bytes) => encodeURIComponent(bytes.toString('base64')),
  'base64 inside JSON': (bytes) => bytes.toString('base64').replaceAll('/', '\\/'),
  'base64 in UTF-16': (bytes) => Buffer.from(bytes.toString('base64'), 'utf16le').toString('latin1'),
};

/** Every byte of the decided middle of the secret's own base64, at whichever alignment it may be. */
function decided(secret: Uint8Array): string[] {
  return [0, 1, 2].map((before) => {
    const encoded = Buffer.concat([Buffer.alloc(before), secret]).toString('base64');
    return encoded.slice(Math.ceil((before * 8) / 6), Math.floor(((before + secret.length) * 8) / 6));
  });
}

const collapse = (text: string) =>
  text
    .replaceAll(/%2b/gi, '+')
    .replaceAll(/%2f/gi, '/')
    .replaceAll(/[\\\0]/g, '');

describe('redaction', () => {
  it.each(Object.entries(SPELLINGS))('finds a secret %s, at any split', (_name, spell) => {
    fc.assert(
      fc.property(SECRET, CHOICES, CUTS, (secret, stream, cuts) => {
        const choices = [...stream.take(secret.length)];
        const spelled = spell(secret, choices);
        // The bytes around it begin or end nothing that means more: no NUL, no escape, no digit.
        const before = raw('\xfe--\xff');
        const after = raw('\xff--\xfe');
        const whole = Buffer.concat([before, spelled, after]);
        const shown = redact([secret], [whole]);
        const hidden = shown.slice(before.length, -after.length);
        expect(shown.slice(0, before.length)).toBe(latin1(before));
        expect(shown.slice(-after.length)).toBe(latin1(after));
        // What is left is the mark; of UTF-16 perhaps the NUL of its last or first character.
        expect(hidden.replaceAll('\0', '').length).toBeLessThan(11);
        expect(hidden).not.toContain(latin1(spelled));
        expect(redact([secret], split(whole, cuts))).toBe(shown);
        expect(
          redact(
            [secret],
            [...whole].map((byte) => Buffer.of(byte)),
          ),
        ).toBe(shown);
      }),
      { numRuns: 100 },
    );
  });

  it.each(Object.entries(ENCODINGS))(
    'finds a secret inside %s, whatever is encoded with it',
    (_name, encode) => {
      const around = fc.uint8Array({ maxLength: 7 });
      fc.assert(
        fc.property(SECRET, around, around, CUTS, (secret, before, after, cuts) => {
          const whole = raw(encode(Buffer.concat([before, Buffer.from(secret), after])));
          const shown = redact([secret], [whole]);
          for (const form of decided(Buffer.from(secret))) {
            const plain = collapse(shown).replaceAll('-', '+').replaceAll('_', '/');
            expect(plain).not.toContain(form);
          }
          expect(shown).not.toBe(latin1(whole));
          expect(redact([secret], split(whole, cuts))).toBe(shown);
        }),
        { numRuns: 100 },
      );
    },
  );

  it('finds the token in the credentials of Basic authentication', () => {
    const user = fc.string({ unit: 'grapheme-ascii', maxLength: 12 });
    fc.assert(
      fc.property(SECRET, user, (token, name) => {
        const header = `Basic ${Buffer.from(`${name}:${token}`).toString('base64')}`;
        const shown = redact([token], [Buffer.from(header)]);
        for (const form of decided(Buffer.from(token))) expect(shown).not.toContain(form);
      }),
      { numRuns: 300 },
    );
  });

  it('finds a secret in base64 that is broken into lines, indented or not, plain or inside JSON', () => {
    const columns = fc.constantFrom(16, 20, 60, 64, 76);
    const ending = fc.constantFrom('\n', '\r\n', '\n  ', '\r\n\t', '\\n', '\\r\\n');
    const around = fc.uint8Array({ maxLength: 200 });
    const secrets = fc.oneof(
      SECRET.filter((secret) => secret.length >= 8),
      fc.constant('k3y-'.repeat(100)),
    );
    fc.assert(
      fc.property(
        secrets,
        around,
        around,
        columns,
        ending,
        CUTS,
        (secret, before, after, width, eol, cuts) => {
          const encoded = Buffer.concat([before, Buffer.from(secret), after]).toString('base64');
          const whole = raw((encoded.match(new RegExp(`.{1,${width}}`, 'g')) ?? []).join(eol));
          const shown = redact([secret], [whole]);
          expect(shown).not.toBe(latin1(whole));
          const joined = shown.replaceAll(eol, '');
          for (const form of decided(Buffer.from(secret))) expect(joined).not.toContain(form);
          expect(redact([secret], split(whole, cuts))).toBe(shown);
        },
      ),
      { numRuns: 400 },
    );
  });

  it('shows a column of short numbers, though a secret is the same digits', () => {
    const column = Buffer.from('0\n0\n0\n0\n0\n0\n0\n12\n34\n');
    expect(redact(['0000', '1234', '123456'], [column])).toBe(latin1(column));
  });

  it('gives the same whether the output comes whole or in any pieces, and shows in order all that is no secret', () => {
    // Few letters, so that secrets overlap, begin and contain each other, and meet escapes half read.
    const dense = (letters: string, minLength: number, maxLength: number) =>
      fc.string({ unit: fc.constantFrom(...letters.split('')), minLength, maxLength });
    const escapes = fc.constantFrom(
      ...'% %6 %61 %2561 \\ \\u \\u006 \\u0061 \\x62 \\\\u0061 \\ud83d \\141 & &#97; &#x6 YWJh YWJhYg== \n \r\n \0 \0\0 \xff'.split(
        ' ',
      ),
    );
    const output = fc.array(fc.oneof(dense('aabb6 ', 1, 6), escapes), { maxLength: 25 });
    fc.assert(
      fc.property(
        fc.array(dense('ab6', 4, 8), { minLength: 1, maxLength: 4 }),
        output,
        CUTS,
        (secrets, parts, cuts) => {
          const whole = raw(parts.join(''));
          const shown = redact(secrets, [whole]);
          expect(redact(secrets, split(whole, cuts))).toBe(shown);
          expect(
            redact(
              secrets,
              [...whole].map((byte) => Buffer.of(byte)),
            ),
          ).toBe(shown);
          for (const form of secrets.flatMap(secretForms)) expect(shown).not.toContain(latin1(form.bytes));
          let at = 0;
          for (const piece of shown.split(MARK)) {
            const found = latin1(whole).indexOf(piece, at);
            expect(found).toBeGreaterThanOrEqual(at);
            at = found + piece.length;
          }
        },
      ),
      { numRuns: 2_000 },
    );
  });

  it('leaves no secret behind where one contains, begins or overlaps another, or the mark itself', () => {
    const near = fc.constantFrom(
      '[redacted]',
      'redacted',
      '[red',
      'ted]',
      '***',
      '****',
      'x[redacted]y',
      'pass[',
      ']word',
      '•••',
    );
    const secrets = fc.array(fc.oneof(near, SECRET), { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(secrets, fc.array(fc.nat(4), { maxLength: 8 }), CUTS, (list, picks, cuts) => {
        const base = list.map((one) => one.trim()).filter((one) => one.length >= 4);
        fc.pre(base.length > 0);
        const all = [...base, `${base[0]}${base.at(-1)}`, `${base[0]}tail`];
        const whole = Buffer.from(picks.map((pick) => all[pick % all.length]).join('|'));
        const shown = redact(all, [whole]);
        for (const secret of all) expect(shown).not.toContain(latin1(Buffer.from(secret)));
        expect(redact(all, split(whole, cuts))).toBe(shown);
      }),
      { numRuns: 500 },
    );
  });

  it('lets through byte for byte what has nothing to do with the secret, escapes and all', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), CUTS, (bytes, cuts) => {
        const noise = Buffer.from(bytes);
        // 24 random-looking characters do not come about by chance in any spelling.
        expect(redact(['Zq7!vTr0-Lx9#mKw2@pYd5$s'], split(noise, cuts))).toBe(latin1(noise));
      }),
      { numRuns: 500 },
    );
  });

  it('holds back no more than the longest spelling of the longest form', () => {
    fc.assert(
      fc.property(SECRET, CHOICES, fc.constantFrom(...Object.values(SPELLINGS)), (secret, stream, spell) => {
        const spelled = spell(secret, [...stream.take(secret.length)]);
        const redaction = createRedactor([secret]).stream();
        let given = 0;
        let taken = 0;
        const longest = Math.max(...secretForms(secret).map((form) => form.bytes.length));
        for (const byte of Buffer.concat([spelled, spelled.subarray(0, -1), spelled])) {
          given += redaction.write(Buffer.of(byte)).length;
          taken += 1;
          // A byte has at most 24 in the longest spelling; marks may be longer than what they stand for.
          expect(taken - given).toBeLessThanOrEqual(24 * longest);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('holds nothing of a line that no secret begins in, so that live output is not behind', () => {
    const stream = createRedactor(['correct horse battery']).stream();
    const lines = ['{"msg":"a \\"quoted\\" word\\n"}\n', 'C:\\Users\\x 50% & more\r\n', 'é漢🔑\n'];
    for (const line of lines) expect(latin1(stream.write(Buffer.from(line)))).toBe(latin1(Buffer.from(line)));
  });

  it('keeps UTF-16 readable around a mark', () => {
    for (const swap of [false, true]) {
      const bytes = Buffer.from('user: hunter22, ok', 'utf16le');
      const shown = raw(redact(['hunter22'], [swap ? bytes.swap16() : bytes]));
      expect((swap ? shown.swap16() : shown).toString('utf16le')).toBe('user: [redacted], ok');
    }
  });

  it('takes time in proportion to the output, whatever escapes it is made of', () => {
    const secrets = ['a%a%a%a%'.repeat(40), '\\\\'.repeat(100), 'YWJj'.repeat(60), '&amp;'.repeat(50)];
    const time = (text: Buffer) => {
      const started = process.cpuUsage();
      redact(secrets, [text]);
      return process.cpuUsage(started).user / 1_000;
    };
    for (const unit of [
      '%',
      '%a',
      '%61',
      'a%',
      '\\',
      '\\\\',
      '\\u',
      '\\ud83d',
      '&',
      '&#',
      '\r',
      '\n',
      'YWJj\n',
      '\0',
      'a\0',
      'YWJj',
    ]) {
      time(Buffer.alloc(5_000, unit));
      const small = time(Buffer.alloc(10_000, unit));
      const large = time(Buffer.alloc(40_000, unit));
      expect({ unit, slow: large > small * 12 + 200 }).toEqual({ unit, slow: false });
    }
  });
});
