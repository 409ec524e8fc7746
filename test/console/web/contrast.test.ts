import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

const TOKENS = new URL('../../../console/web/style/tokens.css', import.meta.url);
const TONES = ['ok', 'busy', 'warn', 'bad', 'calm', 'none'];
const GROUNDS = ['ground', 'surface', 'raised', 'sunken', 'hover', 'chosen'];
/** WCAG 2.2, 1.4.3 for text and 1.4.11 for what a control is known by. */
const TEXT_RATIO = 4.5;
const CONTROL_RATIO = 3;

type Pair = readonly [over: string, ground: string, atLeast: number];

const PAIRS: readonly Pair[] = [
  ...['text', 'text-quiet', 'accent'].flatMap((over) =>
    GROUNDS.map((ground): Pair => [over, ground, TEXT_RATIO]),
  ),
  ...TONES.flatMap((tone) =>
    [`${tone}-ground`, 'surface', 'hover', 'chosen'].map((ground): Pair => [tone, ground, TEXT_RATIO]),
  ),
  ...TONES.flatMap((tone) =>
    ['text', 'text-quiet'].map((over): Pair => [over, `${tone}-ground`, TEXT_RATIO]),
  ),
  ...['accent-ground', 'accent-hover'].map((ground): Pair => ['on-accent', ground, TEXT_RATIO]),
  ...['line-control', 'focus'].flatMap((over) =>
    ['ground', 'surface'].map((ground): Pair => [over, ground, CONTROL_RATIO]),
  ),
];

it.each(['light', 'dark'] as const)(
  'has the contrast of WCAG AA for every text and control when %s',
  (scheme) => {
    const colours = coloursOf(scheme);
    expect(colours.size).toBeGreaterThan(30);
    const low = PAIRS.map(([over, ground, atLeast]) => {
      const found = contrast(colours.get(over) ?? '', colours.get(ground) ?? '');
      return found >= atLeast ? [] : [`${over} on ${ground}: ${found.toFixed(2)}, expected ${atLeast}`];
    });
    expect(low.flat()).toEqual([]);
  },
);

it('measures as WCAG does', () => {
  expect(contrast('#000000', '#ffffff')).toBeCloseTo(21, 5);
  expect(contrast('#777777', '#ffffff')).toBeCloseTo(4.48, 2);
});

function coloursOf(scheme: 'light' | 'dark'): Map<string, string> {
  const text = readFileSync(TOKENS, 'utf8');
  const rows = text.matchAll(/--([\w-]+): (?:light-dark\((#\w{6}), (#\w{6})\)|(#\w{6}));/g);
  return new Map(
    [...rows].map(([, name, light, dark, both]) => [
      String(name),
      both ?? String(scheme === 'light' ? light : dark),
    ]),
  );
}

/** WCAG 2.2, "contrast ratio" and "relative luminance". */
function contrast(one: string, other: string): number {
  const [high, low] = [luminance(one), luminance(other)].toSorted((a, b) => b - a) as [number, number];
  return (high + 0.05) / (low + 0.05);
}

function luminance(hex: string): number {
  const [red, green, blue] = [1, 3, 5].map((at) => {
    const channel = Number.parseInt(hex.slice(at, at + 2), 16) / 255;
    return channel <= 0.04045 ? channel / 12.92 : ((channel + 0.055) / 1.055) ** 2.4;
  }) as [number, number, number];
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}
