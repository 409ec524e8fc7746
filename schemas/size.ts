import { z } from 'zod';

const UNITS = { B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3, TiB: 1024 ** 4 } as const;
type Unit = keyof typeof UNITS;

/** Bytes of `512B|64KiB|8MiB|2GiB`, or null when the text is no size. */
export function parseSize(text: string): number | null {
  const match = /^(\d{1,16})(B|KiB|MiB|GiB|TiB)$/.exec(text);
  if (match === null) return null;
  const value = Number(match[1]) * UNITS[match[2] as Unit];
  return Number.isSafeInteger(value) ? value : null;
}

/** The shortest exact text of a whole number of bytes: `65536` is `64KiB`, `1500` is `1500B`. */
export function formatSize(bytes: number): string {
  if (!Number.isSafeInteger(bytes) || bytes < 0) {
    throw new RangeError(`expected a whole number of bytes, found ${bytes}`);
  }
  for (const unit of ['TiB', 'GiB', 'MiB', 'KiB'] as const) {
    if (bytes !== 0 && bytes % UNITS[unit] === 0) return `${bytes / UNITS[unit]}${unit}`;
  }
  return `${bytes}B`;
}

export const SIZE_PATTERN = '^\\d{1,16}(B|KiB|MiB|GiB|TiB)$';

/** A size in YAML: text in, bytes out. */
export const Size = z
  .string('expected a size such as 64KiB, 8MiB or 2GiB')
  .refine((text) => parseSize(text) !== null, 'expected a size such as 64KiB, 8MiB or 2GiB')
  .transform((text) => parseSize(text) as number)
  .meta({ pattern: SIZE_PATTERN, examples: ['64KiB', '8MiB', '2GiB'] });

export const PositiveSize = Size.refine((bytes) => bytes > 0, 'expected a size of more than 0B');
