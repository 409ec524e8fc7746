import { createHmac, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { RequestRefused } from '../refusal.ts';

/**
 * Whether a page of ours made the call, as far as the browser says: `Sec-Fetch-Site` and `Origin`, which no page can set
 * (Fetch Standard, forbidden request-headers). `unsaid` when it says neither, as programs do.
 */
function pageOf(headers: IncomingHttpHeaders, publicUrl: string): 'own' | 'foreign' | 'unsaid' {
  const { origin, host } = headers;
  const site = headers['sec-fetch-site'];
  if (site === undefined && origin === undefined) return 'unsaid';
  if (site !== undefined && site !== 'same-origin') return 'foreign';
  if (origin === undefined) return 'own';
  // A console that is called by another name than its own (a loopback address) has pages under that name.
  const { protocol } = new URL(publicUrl);
  return origin === publicUrl || origin === `${protocol}//${host}` ? 'own' : 'foreign';
}

/** What a session's writes carry in `X-CSRF-Token`: of this session alone, and worth nothing without it. */
export function csrfTokenOf(sessionToken: string): string {
  return createHmac('sha256', sessionToken).update('edge-console/csrf').digest('base64url');
}

/** Throws 403 unless a call that a session pays for was made by a page of ours, which has read the session's token. */
export function expectOwnPage(headers: IncomingHttpHeaders, publicUrl: string, sessionToken: string): void {
  if (pageOf(headers, publicUrl) !== 'own') throw foreignPage(headers, publicUrl);
  const found = headers['x-csrf-token'];
  const wanted = Buffer.from(csrfTokenOf(sessionToken));
  const given = Buffer.from(typeof found === 'string' ? found : '');
  if (given.length === wanted.length && timingSafeEqual(given, wanted)) return;
  const message = `expected X-CSRF-Token with the csrf of GET /api/session, found ${found === undefined ? 'none' : 'another'}; load the page again`;
  throw new RequestRefused(403, 'csrf_refused', message);
}

/** Throws 403 when a page of somebody else's made the call: it would sign a person in as another. */
export function expectNoForeignPage(headers: IncomingHttpHeaders, publicUrl: string): void {
  if (pageOf(headers, publicUrl) === 'foreign') throw foreignPage(headers, publicUrl);
}

function foreignPage({ origin }: IncomingHttpHeaders, publicUrl: string): RequestRefused {
  const found = origin === undefined ? 'none of its own' : origin.slice(0, 100);
  const message = `expected a call from a page of ${publicUrl}, found the origin ${found}; programs use X-Api-Key`;
  return new RequestRefused(403, 'origin_refused', message);
}
