/**
 * A basic string of TOML 1.0. Control characters are escaped, and braces are too: frpc runs its configuration through a
 * template engine first, in which `{{` begins an expression. A lone surrogate, which TOML cannot hold, becomes U+FFFD.
 */
export function tomlString(text: string): string {
  const escaped = text
    .toWellFormed()
    .replace(/["\\{}\p{Cc}]/gu, (found) => `\\u${found.charCodeAt(0).toString(16).padStart(4, '0')}`);
  return `"${escaped}"`;
}

/** `[a."b c"]` and the lines below it; entries that are null are left out. */
export function tomlTable(
  header: string | null,
  entries: Readonly<Record<string, string | number | boolean | readonly string[] | null>>,
): string {
  const lines = Object.entries(entries).flatMap(([key, value]) =>
    value === null ? [] : [`${key} = ${tomlValue(value)}\n`],
  );
  return `${header === null ? '' : `\n${header}\n`}${lines.join('')}`;
}

function tomlValue(value: string | number | boolean | readonly string[]): string {
  if (typeof value === 'string') return tomlString(value);
  return typeof value === 'object' ? `[${value.map(tomlString).join(', ')}]` : String(value);
}
