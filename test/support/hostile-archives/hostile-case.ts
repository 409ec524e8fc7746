import type { ArchiveRule } from '../../../store/archive/archive-rules.ts';
import { type Bundle, bundleFrom, type Member } from '../bundles.ts';

export interface Caps {
  readonly maxBytes: number;
  readonly maxFiles: number;
}

/** One bad archive: what is wrong with it in words, and the one rule that refuses it. */
export interface HostileCase {
  readonly name: string;
  readonly rule: ArchiveRule;
  /** Made when asked for: some are large. */
  readonly bundle: () => Bundle;
  readonly caps?: Partial<Caps>;
  /** Where a case that others published comes from. */
  readonly source?: string;
}

/** A case of members as they are, behind an honest one: the whole archive is judged, not its beginning. */
export function hostile(
  rule: ArchiveRule,
  name: string,
  members: readonly Member[],
  more: Pick<HostileCase, 'caps' | 'source'> = {},
): HostileCase {
  const honest: Member = { name: 'good.txt', content: 'good' };
  return { name, rule, bundle: () => bundleFrom([honest, ...members]), ...more };
}
