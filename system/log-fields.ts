/** Members that carry a secret by their name, at any of the first three levels of the fields. */
const SECRET_NAMES = [
  'authorization',
  'Authorization',
  'cookie',
  'password',
  'passwd',
  'secret',
  'secrets',
  'secret_key',
  'access_key',
  'token',
  'git_token',
  'private_key',
  'device_jwk',
  'jwk',
  'credentials',
] as const;

export const REDACTED_PATHS: readonly string[] = SECRET_NAMES.flatMap((name) => [
  name,
  `*.${name}`,
  `*.*.${name}`,
]);

const DEPTH_MAX = 5;
const TEXT_MAX_CHARS = 8_192;
const MEMBERS_MAX = 100;

/** Fields as plain JSON of bounded size: errors with their code and cause, texts scrubbed, depth and length cut. */
export function describeFields(
  fields: Readonly<Record<string, unknown>>,
  scrub: (text: string) => string,
): Record<string, unknown> {
  return describe(fields, scrub, 0) as Record<string, unknown>;
}

function describe(value: unknown, scrub: (text: string) => string, depth: number): unknown {
  if (typeof value === 'string') return cut(scrub(value));
  if (typeof value === 'bigint' || typeof value === 'symbol') return value.toString();
  if (typeof value === 'function') return '[function]';
  if (value === null || typeof value !== 'object') return value;
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString();
  if (value instanceof URL) return cut(scrub(value.href));
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
  if (depth >= DEPTH_MAX) return '[…]';
  if (value instanceof Error) return describeError(value, scrub, depth);
  if (Array.isArray(value)) {
    const shown = value.slice(0, MEMBERS_MAX).map((item) => describe(item, scrub, depth + 1));
    return value.length > MEMBERS_MAX ? [...shown, `[${value.length - MEMBERS_MAX} more]`] : shown;
  }
  const members = Object.entries(value).slice(0, MEMBERS_MAX);
  return Object.fromEntries(members.map(([name, member]) => [name, describe(member, scrub, depth + 1)]));
}

function describeError(error: Error, scrub: (text: string) => string, depth: number): unknown {
  const { code } = error as NodeJS.ErrnoException;
  return {
    type: error.name,
    message: cut(scrub(error.message)),
    ...(code === undefined ? {} : { code }),
    ...(error.stack === undefined ? {} : { stack: cut(scrub(error.stack)) }),
    ...(error.cause === undefined ? {} : { cause: describe(error.cause, scrub, depth + 1) }),
  };
}

function cut(text: string): string {
  return text.length <= TEXT_MAX_CHARS ? text : `${text.slice(0, TEXT_MAX_CHARS)}…`;
}
