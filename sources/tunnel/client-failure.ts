const KEPT_LINES = 20;
const CAUSE_MAX_CHARS = 300;

/** Remembers the end of what a client printed on its error output, to say why it ended when its log did not. */
export interface LastWords {
  add(line: string): void;
  /** Of a panic its message; else all of them. Empty when there were none. */
  cause(): string;
}

export function createLastWords(): LastWords {
  const lines: string[] = [];
  return {
    add(line) {
      lines.push(line);
      if (lines.length > KEPT_LINES) lines.shift();
    },
    cause() {
      const panic = lines.findIndex((line) => line.includes(' panicked at '));
      const message = panic < 0 ? undefined : lines[panic + 1];
      return message ?? lines.map((line) => line.trim()).join(' ');
    },
  };
}

/** What a client said, as a sentence of ours can carry it: one line, short, no control characters. */
export function shownCause(text: string): string {
  const line = text.replace(/[\p{Cc}\p{Cf}]+/gu, ' ').trim();
  return line.length > CAUSE_MAX_CHARS ? `${line.slice(0, CAUSE_MAX_CHARS)}…` : line;
}
