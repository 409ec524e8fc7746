import type { Chance } from './ports.ts';

/** A fresh `TRACEPARENT` of W3C Trace Context level 1: version 00, sampled. */
export function traceparent(chance: Chance): string {
  const hex = (bytes: number) =>
    Array.from({ length: bytes }, () =>
      Math.floor(chance.uniform() * 256)
        .toString(16)
        .padStart(2, '0'),
    ).join('');
  return `00-${hex(16)}-${hex(8)}-01`;
}
