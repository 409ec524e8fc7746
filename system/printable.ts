/**
 * A text of somebody else, fit for a log and a terminal: one line without control, format and separator characters, cut after
 * `max` characters. What a terminal obeys (ECMA-48, C0 and C1) and what turns the direction of writing is a space.
 */
export function printable(text: string, max = 1_000): string {
  const clean = text.slice(0, max).replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ');
  return text.length > max ? `${clean}…` : clean;
}
