/** The archive is not one that we unpack; the message names the member and the rule. A person must act (exit 4). */
export class ArchiveRefusal extends Error {
  readonly code: 'archive_refused' | 'caps_exceeded';

  constructor(code: 'archive_refused' | 'caps_exceeded', message: string) {
    super(message);
    this.name = 'ArchiveRefusal';
    this.code = code;
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
