import type { Retry } from '../reconciler/ports.ts';
import type { HttpResponse } from '../system/http-client.ts';
import type { HttpError, HttpErrorCode } from '../system/http-error.ts';

const MAX_RETRY_AFTER_MS = 3_600_000;

const CODES: Readonly<Record<HttpErrorCode, Retry['code']>> = {
  network: 'network',
  tls: 'network',
  timeout: 'timeout',
  stalled: 'timeout',
  too_large: 'source_too_large',
  malformed: 'source_malformed',
};

/** What follows from an exchange that failed on the way. */
export function setbackOfHttpError(error: HttpError): Retry {
  return { kind: 'retry', code: CODES[error.code], message: error.message };
}

/** The wait of `Retry-After` (RFC 9110, 10.2.3), seconds or a date, at most an hour; empty when there is none. */
export function retryAfter(response: HttpResponse, now: Date): { afterMs?: number } {
  const header = response.headers.get('retry-after');
  if (header === null) return {};
  const wait = /^\d{1,9}$/.test(header) ? Number(header) * 1_000 : Date.parse(header) - now.getTime();
  return Number.isNaN(wait) ? {} : { afterMs: Math.min(Math.max(wait, 0), MAX_RETRY_AFTER_MS) };
}
