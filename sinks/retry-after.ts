/** Of a `Retry-After` header, in milliseconds: seconds or an HTTP date (RFC 9110, section 10.2.3); null for anything else. */
export function retryAfterMs(value: string | null, now: Date): number | null {
  if (value === null) return null;
  if (/^\d{1,9}$/.test(value.trim())) return Number(value) * 1_000;
  const at = Date.parse(value);
  return Number.isNaN(at) ? null : Math.max(0, at - now.getTime());
}
