/** The eight colours of a terminal. Which red that is, the sheet says: readable by day and by night. */
export type AnsiColour = 'black' | 'red' | 'green' | 'yellow' | 'blue' | 'magenta' | 'cyan' | 'white';

/** How text looks from some place on. */
export interface AnsiLook {
  readonly fg: AnsiColour | null;
  readonly bg: AnsiColour | null;
  readonly bold: boolean;
  readonly faint: boolean;
  readonly italic: boolean;
  readonly underline: boolean;
  readonly struck: boolean;
  readonly inverse: boolean;
}

/** A stretch of one look. */
export interface Piece {
  readonly text: string;
  readonly look: AnsiLook;
}

export const PLAIN: AnsiLook = {
  fg: null,
  bg: null,
  bold: false,
  faint: false,
  italic: false,
  underline: false,
  struck: false,
  inverse: false,
};

const COLOURS: readonly AnsiColour[] = [
  'black',
  'red',
  'green',
  'yellow',
  'blue',
  'magenta',
  'cyan',
  'white',
];

const ESC = '\u001b';
/**
 * Control sequences (parameters and last letter taken out), strings such as titles and links of terminals, and the short ones
 * (ECMA-48, 5.3 to 5.6). What none of them is stays text: a stray escape is shown, not obeyed.
 */
const ESCAPES =
  // oxlint-disable-next-line no-control-regex -- escapes begin with one
  /\u001b(?:\[([0-?]*)[ -/]*([@-~])|\][^\u0007\u001b]*(?:\u0007|\u001b\\)?|[PX^_][^\u001b]*(?:\u001b\\)?|[ -/]*[0-Z\\-~])/g;

/**
 * A line as stretches of one look, beginning with `look`. Of everything that a terminal would obey, colours and weights alone
 * are kept; characters that cannot be seen, or turn the direction of those that can, are written out.
 */
export function piecesOf(line: string, look: AnsiLook): Piece[] {
  const { before, shown } = lastWritten(line);
  let now = lookAfter(before, look);
  const pieces: Piece[] = [];
  const add = (text: string) => {
    if (text !== '') pieces.push({ text: visible(text), look: now });
  };
  if (!shown.includes(ESC)) {
    add(shown);
    return pieces;
  }
  let at = 0;
  for (const found of shown.matchAll(ESCAPES)) {
    add(shown.slice(at, found.index));
    at = found.index + found[0].length;
    if (found[2] === 'm') now = graphics(found[1] ?? '', now);
  }
  add(shown.slice(at));
  return pieces;
}

/** What `piecesOf` shows, in one. */
export function plainOf(line: string): string {
  const { shown } = lastWritten(line);
  return visible(shown.includes(ESC) ? shown.replaceAll(ESCAPES, '') : shown);
}

/** The look that the line after begins with. */
export function lookAfter(line: string, look: AnsiLook): AnsiLook {
  if (!line.includes(ESC)) return look;
  let now = look;
  for (const found of line.matchAll(ESCAPES)) if (found[2] === 'm') now = graphics(found[1] ?? '', now);
  return now;
}

/** Classes of `style/run.css`. */
export function classOf(look: AnsiLook): string | undefined {
  if (look === PLAIN) return undefined;
  const fg = look.inverse ? (look.bg ?? 'black') : look.fg;
  const bg = look.inverse ? (look.fg ?? 'white') : look.bg;
  const classes = [
    fg === null ? [] : `ansi-${fg}`,
    bg === null ? [] : `ansi-on-${bg}`,
    (['bold', 'faint', 'italic', 'underline', 'struck'] as const).flatMap((each) =>
      look[each] ? `ansi-${each}` : [],
    ),
  ].flat();
  return classes.length === 0 ? undefined : classes.join(' ');
}

/** A progress bar goes back to the beginning of its line and writes over it: the last writing is what a terminal shows. */
function lastWritten(line: string): { before: string; shown: string } {
  const whole = line.replace(/\r+$/, '');
  const at = whole.lastIndexOf('\r') + 1;
  return { before: whole.slice(0, at), shown: whole.slice(at) };
}

/** Select Graphic Rendition (ECMA-48, 8.3.117), with the 256 and the many colours of xterm. */
function graphics(parameters: string, before: AnsiLook): AnsiLook {
  const codes = parameters.split(/[;:]/).map((code) => (code === '' ? 0 : Number(code)));
  let look = before;
  for (let at = 0; at < codes.length; at += 1) {
    const code = codes[at] ?? 0;
    if (code === 38 || code === 48) {
      const { colour, used } = extended(codes.slice(at + 1));
      at += used;
      if (colour !== null) look = { ...look, [code === 38 ? 'fg' : 'bg']: colour };
    } else look = simple(code, look);
  }
  return look;
}

function simple(code: number, look: AnsiLook): AnsiLook {
  if (code === 0) return PLAIN;
  if (code >= 30 && code <= 37) return { ...look, fg: COLOURS[code - 30] ?? null };
  if (code >= 90 && code <= 97) return { ...look, fg: COLOURS[code - 90] ?? null };
  if (code >= 40 && code <= 47) return { ...look, bg: COLOURS[code - 40] ?? null };
  if (code >= 100 && code <= 107) return { ...look, bg: COLOURS[code - 100] ?? null };
  const change = CHANGES[code];
  return change === undefined ? look : { ...look, ...change };
}

const CHANGES: Readonly<Record<number, Partial<AnsiLook>>> = {
  1: { bold: true },
  2: { faint: true },
  3: { italic: true },
  4: { underline: true },
  7: { inverse: true },
  9: { struck: true },
  21: { underline: true },
  22: { bold: false, faint: false },
  23: { italic: false },
  24: { underline: false },
  27: { inverse: false },
  29: { struck: false },
  39: { fg: null },
  49: { bg: null },
};

const LEVELS = [0, 95, 135, 175, 215, 255];

function extended(codes: readonly number[]): { colour: AnsiColour | null; used: number } {
  const [mode, ...rest] = codes;
  if (mode === 2) {
    const [red = 0, green = 0, blue = 0] = rest;
    return { colour: nearest(red, green, blue), used: Math.min(4, codes.length) };
  }
  if (mode !== 5) return { colour: null, used: codes.length };
  const [place = 0] = rest;
  const used = Math.min(2, codes.length);
  if (place < 16) return { colour: COLOURS[place % 8] ?? null, used };
  if (place >= 232) return { colour: place < 244 ? 'black' : 'white', used };
  const cube = place - 16;
  const level = (step: number) => LEVELS[Math.floor(cube / step) % 6] ?? 0;
  return { colour: nearest(level(36), level(6), level(1)), used };
}

/** By hue: of the sixteen million, those that are readable on both grounds are eight. */
function nearest(red: number, green: number, blue: number): AnsiColour {
  const most = Math.max(red, green, blue);
  const spread = most - Math.min(red, green, blue);
  if (spread < 40) return most < 110 ? 'black' : 'white';
  const strong = (value: number) => value > most - spread / 2;
  const index = (strong(red) ? 1 : 0) + (strong(green) ? 2 : 0) + (strong(blue) ? 4 : 0);
  return COLOURS[index] ?? 'white';
}

const UNSEEN = /(?!\t)[\p{Cc}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;

/** Control characters by their picture (␇), those that turn the direction of text by their number (‹U+202E›). */
export function visible(text: string): string {
  return text.replaceAll(UNSEEN, (found) => {
    const code = found.charCodeAt(0);
    if (code < 0x20) return String.fromCharCode(0x2400 + code);
    if (code === 0x7f) return '\u2421';
    return `‹U+${code.toString(16).toUpperCase().padStart(4, '0')}›`;
  });
}
