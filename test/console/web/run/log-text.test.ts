import { describe, expect, it } from 'vitest';
import { classOf, PLAIN } from '../../../../console/web/pages/run/ansi.ts';
import { createLogChunks } from '../../../../console/web/pages/run/log-chunks.ts';
import { createLogText } from '../../../../console/web/pages/run/log-text.ts';

const textOf = (...pieces: string[]) => {
  const log = createLogText();
  for (const piece of pieces) log.add(piece);
  return log;
};

describe('a log as lines', () => {
  it('is the same however its text is cut', () => {
    const whole = 'one\n\ntwo\r\n\u001b[31mthree\nfour';
    const expected = textOf(whole).lines;
    expect(expected.map(({ text }) => text)).toEqual(['one', '', 'two\r', '\u001b[31mthree', 'four']);
    expect(classOf(expected[4]?.look ?? PLAIN)).toBe('ansi-red');
    for (let at = 0; at <= whole.length; at += 1) {
      expect(textOf(whole.slice(0, at), whole.slice(at)).lines, `cut at ${at}`).toEqual(expected);
    }
    expect(textOf(...whole.split('')).lines).toEqual(expected);
  });

  it('begins no line after the last end', () => {
    expect(textOf('one\n').lines).toHaveLength(1);
    expect(textOf('one\n', '\n').lines).toHaveLength(2);
    expect(textOf('one\n', 'two').plain()).toBe('one\ntwo');
  });

  it('keeps the newest lines when it is full, and says how many have gone', () => {
    const log = createLogText({ lines: 100, characters: 1_000_000, line: 100 });
    for (let line = 1; line <= 1_000; line += 1) log.add(`line ${line}\n`);
    expect(log.lines.length).toBeLessThanOrEqual(100);
    expect(log.lines.length).toBeGreaterThan(80);
    expect(log.lines.at(-1)?.text).toBe('line 1000');
    expect(log.lines[0]?.text).toBe(`line ${log.gone + 1}`);
  });

  it('is bounded in characters too, and in those of one line', () => {
    const log = createLogText({ lines: 100, characters: 500, line: 100 });
    for (let piece = 0; piece < 10; piece += 1) log.add('x'.repeat(100));
    expect(log.lines).toEqual([expect.objectContaining({ text: 'x'.repeat(100), left: 900 })]);
    for (let line = 0; line < 50; line += 1) log.add(`\n${'y'.repeat(99)}`);
    expect(log.plain().length).toBeLessThan(510);
  });

  it('finds words as they are, whatever their case and colours, in lines that come later too', () => {
    const log = textOf('an Error (1)\nfine\nan er\u001b[31mror (1)\n');
    expect(log.find('error (1)')).toEqual([0, 2]);
    expect(log.find('.*')).toEqual([]);
    expect(log.find('')).toEqual([]);
    log.add('another ERR');
    expect(log.find('error')).toEqual([0, 2]);
    log.add('OR\n');
    expect(log.find('error')).toEqual([0, 2, 3]);
  });

  it('takes a hundred thousand lines, and finds in them, faster than somebody notices', () => {
    const log = createLogText();
    const began = performance.now();
    for (let block = 0; block < 100; block += 1) {
      let text = '';
      for (let line = 0; line < 1_000; line += 1)
        text += `\u001b[32m✓\u001b[0m row ${block * 1_000 + line} of the table is read and written\n`;
      log.add(text);
    }
    expect(log.find('row 99999 ')).toEqual([99_999]);
    // A fifth of a second of a machine that does nothing else.
    expect(performance.now() - began).toBeLessThan(5_000);
  });
});

describe('the bytes of a log', () => {
  const chunk = (offset: number, bytes: Uint8Array) => ({
    offset,
    data: Buffer.from(bytes).toString('base64'),
  });
  const bytes = Buffer.from('é 漢字 🧾 ok');

  it('are one text, wherever they are cut', () => {
    for (let at = 0; at <= bytes.length; at += 1) {
      const chunks = createLogChunks(0);
      const text = chunks.take(chunk(0, bytes.subarray(0, at))) + chunks.take(chunk(at, bytes.subarray(at)));
      expect(text, `cut at ${at}`).toBe('é 漢字 🧾 ok');
      expect(chunks.next).toBe(bytes.length);
    }
  });

  it('are taken once, when some come again after a break', () => {
    const chunks = createLogChunks(0);
    expect(chunks.take(chunk(0, bytes.subarray(0, 5)))).toBe('é ');
    expect(chunks.take(chunk(0, bytes.subarray(0, 5)))).toBe('');
    expect(chunks.take(chunk(3, bytes.subarray(3)))).toBe('漢字 🧾 ok');
  });

  it('say where there is a hole', () => {
    const chunks = createLogChunks(0);
    expect(chunks.take(chunk(0, bytes.subarray(0, 4)))).toBe('é ');
    expect(chunks.take(chunk(100, Buffer.from('later')))).toBe('\uFFFDlater');
    expect(chunks.next).toBe(105);
  });
});
