import { CAPS } from './hostile-archives/caps.ts';
import { COMPRESSED } from './hostile-archives/compressed.ts';
import { HEADERS } from './hostile-archives/headers.ts';
import type { HostileCase } from './hostile-archives/hostile-case.ts';
import { NAMES } from './hostile-archives/names.ts';
import { PUBLISHED } from './hostile-archives/published.ts';
import { TYPES } from './hostile-archives/types.ts';

/** A generator of bad archives: at least one for every rule of the list pass (store/archive/archive-rules.ts). */
export const HOSTILE_ARCHIVES: readonly HostileCase[] = [
  ...COMPRESSED,
  ...TYPES,
  ...HEADERS,
  ...NAMES,
  ...CAPS,
  ...PUBLISHED,
];

/** The case of this name; throws when there is none. */
export function hostileArchive(name: string): HostileCase {
  const found = HOSTILE_ARCHIVES.find((one) => one.name === name);
  if (found === undefined) throw new Error(`expected a hostile archive, found none called ${name}`);
  return found;
}
