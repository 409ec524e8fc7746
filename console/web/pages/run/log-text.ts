import { type AnsiLook, lookAfter, PLAIN, plainOf } from './ansi.ts';

export interface LogLine {
  /** As it was printed, escapes and all, without its end. */
  readonly text: string;
  /** What it begins with: colours go on from line to line. */
  readonly look: AnsiLook;
  /** Characters of it that are not kept. */
  readonly left: number;
}

export interface LogBounds {
  readonly lines: number;
  readonly characters: number;
  /** Of one line. */
  readonly line: number;
}

/** What a page holds of a log: some 50 MB of a browser's memory at most, whatever is printed. */
const LOG_BOUNDS: LogBounds = { lines: 200_000, characters: 20_000_000, line: 16_384 };

/** How much goes at a time when it is full, so that not every line moves all the others. */
const MAKE_ROOM = 0.1;

export interface LogText {
  /** The next piece, cut anywhere. */
  add(text: string): void;
  readonly lines: readonly LogLine[];
  /** Lines that were here and had to go, from the beginning. */
  readonly gone: number;
  /** Places of the lines that have `words` in them, whatever their case. Lines looked at once are not looked at again. */
  find(words: string): readonly number[];
  /** Everything that is held, as text. */
  plain(): string;
}

/** A log as lines, the newest of which are kept. */
export function createLogText(bounds: LogBounds = LOG_BOUNDS): LogText {
  const lines: LogLine[] = [];
  let characters = 0;
  let gone = 0;
  /** The last line may go on. */
  let open = false;
  let sought = { words: '', upTo: 0, hits: [] as number[] };

  const begin = (text: string) => {
    const last = lines.at(-1);
    const look = last === undefined ? PLAIN : lookAfter(last.text, last.look);
    lines.push(cut(text, look, 0));
  };
  const goOn = (text: string) => {
    const last = lines.pop();
    if (last === undefined) return;
    characters -= last.text.length;
    // It is looked at again as it is now.
    if (sought.upTo > lines.length) {
      sought.upTo = lines.length;
      if (sought.hits.at(-1) === lines.length) sought.hits.pop();
    }
    lines.push(cut(last.text + text, last.look, last.left));
  };
  const cut = (text: string, look: AnsiLook, left: number): LogLine => {
    const kept = text.slice(0, bounds.line);
    characters += kept.length;
    return { text: kept, look, left: left + text.length - kept.length };
  };
  const makeRoom = () => {
    if (lines.length <= bounds.lines && characters <= bounds.characters) return;
    const most = {
      lines: bounds.lines * (1 - MAKE_ROOM),
      characters: bounds.characters * (1 - MAKE_ROOM),
    };
    let drop = 0;
    while (lines.length - drop > 1 && (lines.length - drop > most.lines || characters > most.characters)) {
      characters -= lines[drop]?.text.length ?? 0;
      drop += 1;
    }
    lines.splice(0, drop);
    gone += drop;
    sought = { words: '', upTo: 0, hits: [] };
  };

  return {
    lines,
    get gone() {
      return gone;
    },
    add(text) {
      if (text === '') return;
      const parts = text.split('\n');
      parts.forEach((part, place) => {
        const last = place === parts.length - 1;
        // What ends with a line's end has begun no line after it.
        if (last && part === '') {
          open = false;
          return;
        }
        if (place === 0 && open) goOn(part);
        else begin(part);
        open = true;
      });
      makeRoom();
    },
    find(words) {
      if (words === '') return [];
      const pattern = patternOf(words);
      if (sought.words !== words) sought = { words, upTo: 0, hits: [] };
      for (; sought.upTo < lines.length; sought.upTo += 1) {
        pattern.lastIndex = 0;
        if (pattern.test(plainOf(lines[sought.upTo]?.text ?? ''))) sought.hits.push(sought.upTo);
      }
      return sought.hits;
    },
    plain: () => lines.map(({ text }) => plainOf(text)).join('\n'),
  };
}

/** `words` as they are, wherever they occur. */
export function patternOf(words: string): RegExp {
  return new RegExp(words.replaceAll(/[\\^$.*+?()[\]{}|/-]/g, '\\$&'), 'giu');
}
