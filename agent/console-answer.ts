import { z } from 'zod';

const REASON_MAX_CHARACTERS = 500;

const Refusal = z.looseObject({
  error: z.looseObject({ code: z.string().optional(), message: z.string().optional() }),
});

/** What the console says of a refused call; null when its answer has another form. */
export function errorIn(
  body: string,
): { readonly code: string | null; readonly message: string | null } | null {
  try {
    const parsed = Refusal.safeParse(JSON.parse(body));
    if (!parsed.success) return null;
    const { code = null, message = null } = parsed.data.error;
    return {
      code: code === null ? null : printable(code),
      message: message === null ? null : printable(message),
    };
  } catch {
    return null;
  }
}

/** The words of a server: short, and without what a terminal would obey. */
export function printable(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, ' ').slice(0, REASON_MAX_CHARACTERS);
}
