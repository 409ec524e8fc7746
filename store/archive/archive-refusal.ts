import { ARCHIVE_RULES, type ArchiveRule } from './archive-rules.ts';

/** The archive is not one that we unpack; the message names the member and the rule. A person must act (exit 4). */
export class ArchiveRefusal extends Error {
  readonly rule: ArchiveRule;
  readonly code: (typeof ARCHIVE_RULES)[ArchiveRule];

  constructor(rule: ArchiveRule, message: string) {
    super(message);
    this.name = 'ArchiveRefusal';
    this.rule = rule;
    this.code = ARCHIVE_RULES[rule];
  }
}

/** For messages: what a hostile name contains must not reach a terminal. At most 120 characters. */
export function quoteName(name: string): string {
  const shown = name.length > 120 ? `${name.slice(0, 119)}…` : name;
  return JSON.stringify(shown).replace(
    /[\u007f-\u009f\p{Cf}\u2028\u2029]/gu,
    (c) => `\\u{${(c.codePointAt(0) ?? 0).toString(16)}}`,
  );
}
