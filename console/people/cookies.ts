import { fastifyCookie } from '@fastify/cookie';

export interface CookieCall {
  readonly headers: { readonly cookie?: string | undefined };
}

/**
 * A cookie of ours: never for scripts, never sent by another site's page, for this host alone. Under https its name begins with
 * `__Host-`, so that no neighbour under the same domain can set it (RFC 6265bis, 4.1.3.2).
 */
export interface OwnCookie {
  read(call: CookieCall): string | null;
  /** Value of `Set-Cookie`. */
  set(value: string): string;
  clear(): string;
}

export function createOwnCookie(name: string, maxAgeMs: number, https: () => boolean): OwnCookie {
  const fullName = () => (https() ? `__Host-${name}` : name);
  const text = (value: string, maxAge: number) =>
    fastifyCookie.serialize(fullName(), value, {
      path: '/',
      httpOnly: true,
      sameSite: 'strict',
      secure: https(),
      maxAge,
    });
  return {
    read: ({ headers }) => fastifyCookie.parse(headers.cookie ?? '')[fullName()] ?? null,
    set: (value) => text(value, Math.floor(maxAgeMs / 1_000)),
    clear: () => text('', 0),
  };
}
