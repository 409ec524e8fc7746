import { describe, expect, it } from 'vitest';
import {
  classOf,
  lookAfter,
  PLAIN,
  piecesOf,
  plainOf,
  visible,
} from '../../../../console/web/pages/run/ansi.ts';

const ESC = '\u001b';
/** `text:classes` of each stretch. */
const drawn = (line: string) =>
  piecesOf(line, PLAIN).map(({ text, look }) => `${text}:${classOf(look) ?? ''}`);

describe('colours of a line', () => {
  it.each([
    ['plain', ['plain:']],
    [`${ESC}[31mred${ESC}[0m and not`, ['red:ansi-red', ' and not:']],
    [`${ESC}[1;41;97m FAILED ${ESC}[m`, [' FAILED :ansi-white ansi-on-red ansi-bold']],
    [
      `${ESC}[2mfaint${ESC}[22m${ESC}[3;4;9mall${ESC}[23;24;29m`,
      ['faint:ansi-faint', 'all:ansi-italic ansi-underline ansi-struck'],
    ],
    [`${ESC}[32;7mturned${ESC}[27m back`, ['turned:ansi-black ansi-on-green', ' back:ansi-green']],
    [`${ESC}[38;2;255;0;255mtrue${ESC}[39m`, ['true:ansi-magenta']],
    [`${ESC}[48;5;22mof 256${ESC}[49m`, ['of 256:ansi-on-green']],
    [`${ESC}[38:5:196mcolons`, ['colons:ansi-red']],
    [`${ESC}[38;5;244mgrey`, ['grey:ansi-white']],
    [`${ESC}[38;5;1;1mboth`, ['both:ansi-red ansi-bold']],
    [`${ESC}[38mcut off`, ['cut off:']],
    [`${ESC}[999mno such code`, ['no such code:']],
  ])('%j', (line, expected) => {
    expect(drawn(line)).toEqual(expected);
  });

  it('go on into the next line, until something ends them', () => {
    const after = lookAfter(`${ESC}[31mTraceback:`, PLAIN);
    expect(piecesOf('  File "main.py"', after).map(({ look }) => classOf(look))).toEqual(['ansi-red']);
    expect(lookAfter(`end${ESC}[0m`, after)).toEqual(PLAIN);
  });
});

describe('what a terminal would obey', () => {
  it.each([
    ['titles of windows', `${ESC}]0;owned\u0007text`, 'text'],
    [
      'links, of which the text stays',
      `${ESC}]8;;javascript:alert(1)${ESC}\\click${ESC}]8;;${ESC}\\`,
      'click',
    ],
    ['moves of the cursor', `${ESC}[2J${ESC}[Htext${ESC}[5A`, 'text'],
    ['strings for devices', `${ESC}P1$qm${ESC}\\text`, 'text'],
    ['another set of characters', `${ESC}(0text`, 'text'],
  ])('is left out: %s', (_what, line, expected) => {
    expect(plainOf(line)).toBe(expected);
    expect(drawn(line).join('')).toBe(`${expected}:`);
  });

  it('is shown when it is none of it: an escape that ends nowhere, other control characters', () => {
    expect(plainOf(`a${ESC}`)).toBe('a␛');
    expect(plainOf('nul \u0000 bell \u0007 back\b del \u007f')).toBe('nul ␀ bell ␇ back␈ del ␡');
    expect(plainOf('tab\tstays')).toBe('tab\tstays');
  });

  it('shows the last writing of a line that was written over', () => {
    expect(plainOf('10 %\r50 %\r100 %\r')).toBe('100 %');
    expect(drawn(`${ESC}[31m10 %\r100 %`)).toEqual(['100 %:ansi-red']);
  });

  it('does not let characters turn the direction of a line, and leaves those of its language alone', () => {
    expect(visible('\u202Egnp.exe\u202C \u2066x\u2069')).toBe('‹U+202E›gnp.exe‹U+202C› ‹U+2066›x‹U+2069›');
    expect(visible('שלום مرحبا')).toBe('שלום مرحبا');
  });
});
