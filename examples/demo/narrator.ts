import { stripVTControlCharacters, styleText } from 'node:util';

type Style = 'bold' | 'dim' | 'green' | 'red' | 'yellow' | 'cyan';

/** Tells the demo to whoever watches: numbered steps, what was typed, what came out. Colours only at a terminal. */
export interface Narrator {
  title(text: string): void;
  gap(): void;
  step(title: string): void;
  /** A sentence, wrapped. */
  say(text: string): void;
  /** What a person would have typed. */
  typed(command: string): void;
  /** What a program printed, behind a bar. */
  printed(text: string): void;
  /** Lines of a document or a folder, as they are. */
  shown(lines: readonly string[]): void;
  good(text: string): void;
  bad(text: string): void;
  paint(style: Style, text: string): string;
  readonly width: number;
}

const WIDTH_MAX = 110;

export function createNarrator(stream: NodeJS.WriteStream): Narrator {
  const coloured = stream.isTTY && (process.env['NO_COLOR'] ?? '') === '';
  // A terminal that does not know its size says 0.
  const width = stream.columns > 0 ? Math.min(stream.columns, WIDTH_MAX) : 100;
  const paint = (style: Style, text: string) =>
    coloured ? styleText(style, text, { validateStream: false }) : text;
  const write = (text = '') => void stream.write(`${text.trimEnd()}\n`);
  const wrapped = (text: string, first: string, rest: string) => {
    for (const [index, line] of wrap(text, width - stripVTControlCharacters(first).length).entries()) {
      write((index === 0 ? first : rest) + line);
    }
  };
  let steps = 0;

  return {
    width,
    paint,
    title: (text) => write(paint('bold', text)),
    gap: () => write(),
    step(title) {
      steps += 1;
      write();
      write(paint('bold', paint('cyan', `${steps}. ${title}`)));
    },
    say: (text) => wrapped(text, '   ', '   '),
    typed: (command) => wrapped(paint('bold', command), `   ${paint('dim', '$')} `, '       '),
    printed(text) {
      const bar = `   ${paint('dim', '│')} `;
      for (const line of text.trimEnd().split('\n')) wrapped(verdictPainted(line, paint), bar, `${bar}  `);
    },
    shown(lines) {
      for (const line of lines) write(`     ${line}`);
    },
    good: (text) => wrapped(text, `   ${paint('green', '✔')} `, '     '),
    bad: (text) => wrapped(text, `   ${paint('red', '✘')} `, '     '),
  };
}

/** The agent prints without colours into a pipe; its verdict deserves one. */
function verdictPainted(line: string, paint: Narrator['paint']): string {
  return line
    .replace(/^● Ready\b/, (verdict) => paint('green', verdict))
    .replace(/^● (Stalled|Not ready)\b/, (verdict) => paint('red', verdict))
    .replace(/^✔/, (mark) => paint('green', mark))
    .replace(/^edge-agent:/, (name) => paint('red', name));
}

/** Lines of at most `width` characters, broken at spaces; the spaces a line begins with or aligns columns with stay. */
function wrap(text: string, width: number): string[] {
  if (stripVTControlCharacters(text).length <= width) return [text];
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(/(?<=\s)(?=\S)/)) {
    if (line !== '' && stripVTControlCharacters(line + word.trimEnd()).length > width) {
      lines.push(line.trimEnd());
      line = '';
    }
    line += word;
  }
  return [...lines, line.trimEnd()];
}
