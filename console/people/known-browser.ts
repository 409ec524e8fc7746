import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { type CookieCall, createOwnCookie } from './cookies.ts';

const KNOWN_FOR_MS = 180 * 24 * 60 * 60_000;

/**
 * A browser in which a person has signed in before has a cookie that says so (OWASP, "device cookies"): its sign-ins are counted
 * apart from those of strangers, so that whoever guesses at a login, from however many addresses, locks nobody out. It opens nothing.
 */
export interface KnownBrowsers {
  /** An id of the browser when this person has signed in with it, else null. */
  of(call: CookieCall, login: string): string | null;
  /** Value of `Set-Cookie`. */
  cookie(login: string): string;
}

export function createKnownBrowsers(key: Uint8Array, https: () => boolean): KnownBrowsers {
  const cookie = createOwnCookie('edge_console_known', KNOWN_FOR_MS, https);
  const tagOf = (browser: string, login: string) =>
    createHmac('sha256', key).update(`${browser}\0${login}`).digest();
  return {
    of(call, login) {
      const [browser = '', tag = ''] = (cookie.read(call) ?? '').split('.');
      if (!/^[\w-]{22}$/.test(browser)) return null;
      const given = Buffer.from(tag, 'base64url');
      const wanted = tagOf(browser, login);
      return given.length === wanted.length && timingSafeEqual(given, wanted) ? browser : null;
    },
    cookie(login) {
      const browser = randomBytes(16).toString('base64url');
      return cookie.set(`${browser}.${tagOf(browser, login).toString('base64url')}`);
    },
  };
}
