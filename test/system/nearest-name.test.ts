import fc from 'fast-check';
import { expect, test } from 'vitest';
import { editDistance, nearestName } from '../../system/nearest-name.ts';

test('finds the name one typing error away, and none when all are far', () => {
  const known = ['interval', 'timeout', 'kind', 'url'];
  expect(nearestName('intervall', known)).toBe('interval');
  expect(nearestName('knid', known)).toBe('kind');
  expect(nearestName('URL', known)).toBe('url');
  expect(nearestName('zebra', known)).toBeNull();
  expect(nearestName('', known)).toBeNull();
  expect(nearestName('token', ['server', 'token_file'])).toBe('token_file');
});

test('property: the distance is zero for equal texts only, symmetric, and at most the longer length', () => {
  const text = fc.string({ maxLength: 12 });
  fc.assert(
    fc.property(text, text, (a, b) => {
      expect(editDistance(a, b) === 0).toBe(a === b);
      expect(editDistance(a, b)).toBe(editDistance(b, a));
      expect(editDistance(a, b)).toBeLessThanOrEqual(Math.max(a.length, b.length));
    }),
  );
});
