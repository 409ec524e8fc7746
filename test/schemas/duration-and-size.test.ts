import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatDuration, parseDuration } from '../../schemas/duration.ts';
import { formatSize, parseSize } from '../../schemas/size.ts';

describe('durations', () => {
  it.each([
    ['500ms', 500],
    ['30s', 30_000],
    ['5m', 300_000],
    ['24h', 86_400_000],
    ['30d', 2_592_000_000],
    ['0s', 0],
  ])('reads %s as %i ms', (text, ms) => expect(parseDuration(text)).toBe(ms));

  it.each(['', '5', 'm', '-5m', '5 m', '5min', '1.5h', '1e3s', '999999999999d'])('refuses %j', (text) => {
    expect(parseDuration(text)).toBeNull();
  });

  it('reads back everything it prints', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 10_000_000_000 }),
        (ms) => parseDuration(formatDuration(ms)) === ms,
      ),
    );
  });

  it('prints the largest unit that is exact', () => {
    expect([60_000, 90_000, 86_400_000, 1_500, 0].map(formatDuration)).toEqual([
      '1m',
      '90s',
      '1d',
      '1500ms',
      '0s',
    ]);
  });
});

describe('sizes', () => {
  it.each([
    ['512B', 512],
    ['64KiB', 65_536],
    ['8MiB', 8_388_608],
    ['2GiB', 2_147_483_648],
  ])('reads %s as %i bytes', (text, bytes) => expect(parseSize(text)).toBe(bytes));

  it.each(['', '64', '64KB', '64 KiB', '-1B', '1.5GiB', '9999999999TiB'])('refuses %j', (text) => {
    expect(parseSize(text)).toBeNull();
  });

  it('reads back everything it prints', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 50 }), (bytes) => parseSize(formatSize(bytes)) === bytes),
    );
  });
});
