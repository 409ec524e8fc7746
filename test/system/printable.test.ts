import { expect, test } from 'vitest';
import { printable } from '../../system/printable.ts';

test('what a terminal obeys becomes a space, and letters of all scripts stay', () => {
  expect(printable('\u001b[2Jred\u009b31m\r\nnext\u2028line\u202eleft')).toBe(' [2Jred 31m next line left');
  expect(printable('Zoë’s naïve test: 試験 🙂')).toBe('Zoë’s naïve test: 試験 🙂');
});

test('a long text is cut, and shows that it was', () => {
  expect(printable('a'.repeat(2_000))).toBe(`${'a'.repeat(1_000)}…`);
  expect(printable('abc', 3)).toBe('abc');
});
