/** A value that canonical JSON has no form for: a fraction, or a number that a double does not hold exactly. */
export class NotCanonicalError extends Error {
  override readonly name = 'NotCanonicalError';
}

/**
 * Canonical JSON as TUF signs it (http://wiki.laptop.org/go/Canonical_JSON, as in securesystemslib): members sorted by the code
 * points of their names, no white space, integers only, and in strings nothing escaped but `"` and `\`. UTF-8.
 */
export function canonicalJson(value: unknown): Uint8Array {
  const parts: string[] = [];
  append(value, parts);
  return Buffer.from(parts.join(''), 'utf8');
}

function append(value: unknown, parts: string[]): void {
  if (value === null || typeof value === 'boolean') {
    parts.push(String(value));
  } else if (typeof value === 'number') {
    if (!Number.isSafeInteger(value)) throw new NotCanonicalError(`expected whole numbers, found ${value}`);
    parts.push(String(value === 0 ? 0 : value));
  } else if (typeof value === 'string') {
    parts.push(quoted(value));
  } else if (Array.isArray(value)) {
    list(value, '[', ']', parts, (element) => append(element, parts));
  } else {
    const members = value as Readonly<Record<string, unknown>>;
    list(Object.keys(members).sort(byCodePoints), '{', '}', parts, (name) => {
      parts.push(quoted(name), ':');
      append(members[name], parts);
    });
  }
}

function list<T>(items: readonly T[], open: string, close: string, parts: string[], each: (item: T) => void) {
  parts.push(open);
  for (const [index, item] of items.entries()) {
    if (index > 0) parts.push(',');
    each(item);
  }
  parts.push(close);
}

function quoted(text: string): string {
  // A lone surrogate has no UTF-8: two different strings would become the same bytes.
  if (!text.isWellFormed()) throw new NotCanonicalError('expected text that UTF-8 can hold');
  return `"${text.replace(/[\\"]/g, '\\$&')}"`;
}

/** JavaScript's own order is that of UTF-16, which puts U+10000 before U+E000. */
function byCodePoints(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a, 'utf8'), Buffer.from(b, 'utf8'));
}
