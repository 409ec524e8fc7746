const DIGITS_SHOWN = 12;
const TEXT_SHOWN = 160;

/** A document for people: a member a line, what is nested on one line, digests and long texts cut short (`…` says so). */
export function jsonView(document: object): string[] {
  const entries = Object.entries(document);
  const members = entries.map(([name, value], index) => {
    const comma = index === entries.length - 1 ? '' : ',';
    return `  ${JSON.stringify(name)}: ${JSON.stringify(value, shortened)}${comma}`;
  });
  return ['{', ...members, '}'];
}

function shortened(_name: string, value: unknown): unknown {
  if (typeof value !== 'string') return value;
  const text = shortDigests(value);
  return text.length <= TEXT_SHOWN ? text : `${text.slice(0, TEXT_SHOWN)}…`;
}

/** `3f2a9c1d04be…`: enough of a digest to compare by eye. */
export function shortDigest(digest: string): string {
  return `${digest.slice(0, DIGITS_SHOWN)}…`;
}

/** A sentence with its digests cut short. */
export function shortDigests(text: string): string {
  return text.replaceAll(/\b([0-9a-f]{12})[0-9a-f]{28,52}\b/g, '$1…');
}
