import { parse, stringify } from 'yaml';
import type { Random } from './random.ts';
import type { Seeds } from './target.ts';
import { changeTree } from './tree-mutation.ts';

/** What breaks parsers: limits of numbers, ends of strings, names that objects have anyway, text that is not what it seems. */
const USUAL_WORDS = [
  '0',
  '-1',
  '1',
  '00',
  '255',
  '65536',
  '2147483648',
  '4294967296',
  '9007199254740993',
  '1e309',
  '-0',
  '0x10',
  'NaN',
  '1.5',
  'null',
  'true',
  '""',
  '[]',
  '{}',
  '[',
  ']',
  '{',
  '}',
  '"',
  "'",
  '\\',
  '\\u0000',
  '\\ud800',
  ',',
  ':',
  ';',
  '=',
  '&',
  '*',
  '#',
  '- ',
  '? ',
  '!!',
  '|',
  '>',
  '__proto__',
  'constructor',
  'toString',
  '\0',
  '\r\n',
  '\n',
  '\r',
  '\t',
  ' ',
  '\u2028',
  '\u0085',
  '\ufeff',
  '\u202e',
  '\u001b[31m',
  'é',
  '漢',
  '🔑',
  '\u00ad',
  '../',
  '..\\',
  '/',
  '//',
  '%2e',
  '%00',
  '%',
  'CON',
  'a:b',
  '.',
  '..',
  '<<',
  '---',
  '...',
  '\ud800',
];
const SPECIAL_BYTES = [0, 1, 9, 10, 13, 32, 34, 39, 45, 47, 48, 58, 92, 127, 128, 192, 237, 254, 255];

/** Another input out of one or two that are there: by bytes, by words, or by its tree. */
export function mutate(random: Random, from: Buffer, other: Buffer, about: Seeds, maxBytes: number): Buffer {
  let bytes = from;
  const times = 1 + random.int(random.chance(0.2) ? 12 : 3);
  for (let count = 0; count < times; count += 1) {
    const way = random.int(10);
    if (way < 3 && (about.shape === 'json' || about.shape === 'yaml')) bytes = byTree(random, bytes, about);
    else if (way < 6 && about.shape !== 'bytes') bytes = byWord(random, bytes, about);
    else if (way < 9) bytes = byByte(random, bytes, about);
    else bytes = splice(random, bytes, other);
    bytes = bytes.subarray(0, maxBytes);
  }
  return bytes;
}

function byTree(random: Random, bytes: Buffer, { shape, words = [] }: Seeds): Buffer {
  const text = bytes.toString('utf8');
  try {
    const tree: unknown = shape === 'json' ? JSON.parse(text) : parse(text, { logLevel: 'silent' });
    const changed = changeTree(random, tree, words);
    return Buffer.from(
      shape === 'json' ? JSON.stringify(changed, null, random.pick([0, 0, 1])) : stringify(changed),
    );
  } catch {
    // It is broken already.
    return byWord(random, bytes, { shape, words, seeds: [] });
  }
}

function byWord(random: Random, bytes: Buffer, { words = [] }: Seeds): Buffer {
  const tokens = bytes.toString('utf8').match(/[A-Za-z0-9_]+|\s+|[^A-Za-z0-9_\s]/gu) ?? [];
  if (tokens.length > 20_000) return byByte(random, bytes, { shape: 'bytes', seeds: [] });
  const at = random.int(tokens.length + 1);
  const word = random.chance(0.5) && words.length > 0 ? random.pick(words) : random.pick(USUAL_WORDS);
  const length = 1 + random.int(Math.min(8, tokens.length + 1));
  switch (random.int(6)) {
    case 0:
      tokens.splice(at, 0, word);
      break;
    case 1:
      tokens.splice(at, 1, word);
      break;
    case 2:
      tokens.splice(at, length);
      break;
    case 3:
      tokens.splice(at, 0, ...tokens.slice(at, at + length));
      break;
    case 4:
      tokens.splice(random.int(tokens.length + 1), 0, ...tokens.splice(at, length));
      break;
    default:
      tokens.splice(
        at,
        1,
        (tokens[at] ?? word).slice(0, 64).repeat(1 + random.int(random.pick([4, 40, 400]))),
      );
  }
  return Buffer.from(tokens.join(''), 'utf8');
}

function byByte(random: Random, bytes: Buffer, { words = [] }: Seeds): Buffer {
  const at = random.int(bytes.length + 1);
  const length = random.int(Math.min(bytes.length - at, random.pick([4, 16, 600])) + 1);
  const changed = Buffer.from(bytes);
  const put = (piece: Uint8Array, less = 0) =>
    Buffer.concat([bytes.subarray(0, at), piece, bytes.subarray(at + less)]);
  switch (random.int(9)) {
    case 0:
      if (at < changed.length) changed[at] = (changed[at] as number) ^ (1 << random.int(8));
      return changed;
    case 1:
      if (at < changed.length) changed[at] = random.pick(SPECIAL_BYTES);
      return changed;
    case 2:
      return put(random.bytes(1 + random.int(8)));
    case 3:
      return put(Buffer.alloc(0), length);
    case 4:
      return put(bytes.subarray(at, at + length));
    case 5:
      return bytes.subarray(0, at);
    case 6:
      return put(Buffer.from(words.length > 0 ? random.pick(words) : random.pick(USUAL_WORDS)), length);
    case 7: {
      // A number of the format: lengths, offsets, counts.
      const number = random.pick([0, 1, 0x7f, 0x80, 0xff, 0xffff, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff]);
      if (at + 4 <= changed.length) changed.writeUInt32BE(number, at);
      return changed;
    }
    default:
      return put(
        Buffer.alloc(1 + random.int(random.pick([8, 64, 2_048])), random.pick(SPECIAL_BYTES)),
        length,
      );
  }
}

function splice(random: Random, a: Buffer, b: Buffer): Buffer {
  return Buffer.concat([a.subarray(0, random.int(a.length + 1)), b.subarray(random.int(b.length + 1))]);
}
