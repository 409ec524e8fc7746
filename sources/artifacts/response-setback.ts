import type { Retry, Stalled } from '../../reconciler/ports.ts';
import type { HttpResponse } from '../../system/http-client.ts';
import type { HttpErrorCode } from '../../system/http-error.ts';
import { HttpError } from '../../system/http-error.ts';

const MAX_ERROR_BYTES = 4_096;
const MAX_RETRY_AFTER_MS = 3_600_000;

/** What follows from an answer that is no bundle. */
export async function setbackOfResponse(
  response: HttpResponse,
  shown: string,
  now: Date,
): Promise<Retry | Stalled> {
  const { status } = response;
  const reason = await errorCode(response);
  const found = `found status ${status}${reason === null ? '' : ` (${reason})`}`;
  if (status === 401 || status === 403) {
    const advice =
      reason === 'RequestTimeTooSkewed'
        ? 'set the clock of this machine'
        : 'check artifacts.json in credentials_dir, its rights on the bucket, and that the object exists';
    return {
      kind: 'stalled',
      code: 'credentials_refused',
      message: `${shown}: expected to be let in, ${found}; ${advice}`,
    };
  }
  if (status === 404 || status === 410) {
    const message = `${shown}: expected the bundle, ${found}: it is not there (yet); publish it or correct edge_url`;
    return { kind: 'retry', code: 'server_error', message };
  }
  const afterMs = retryAfter(response.headers.get('retry-after'), now);
  const message = `${shown}: expected the bundle, ${found}`;
  return { kind: 'retry', code: 'server_error', message, ...(afterMs === null ? {} : { afterMs }) };
}

/** What follows from an exchange that failed on the way. */
export function setbackOfHttpError(error: HttpError): Retry {
  const codes: Readonly<Record<HttpErrorCode, Retry['code']>> = {
    network: 'network',
    tls: 'network',
    timeout: 'timeout',
    stalled: 'timeout',
    too_large: 'source_too_large',
    malformed: 'server_error',
  };
  return { kind: 'retry', code: codes[error.code], message: error.message };
}

/** Milliseconds of `Retry-After` (RFC 9110, 10.2.3), seconds or a date, at most an hour; null when there is none. */
export function retryAfter(header: string | null, now: Date): number | null {
  if (header === null) return null;
  const wait = /^\d{1,9}$/.test(header) ? Number(header) * 1_000 : Date.parse(header) - now.getTime();
  return Number.isNaN(wait) ? null : Math.min(Math.max(wait, 0), MAX_RETRY_AFTER_MS);
}

/** `<Code>` of an S3 error document. */
async function errorCode(response: HttpResponse): Promise<string | null> {
  try {
    return /<Code>([A-Za-z0-9.]{1,64})<\/Code>/.exec(await response.text(MAX_ERROR_BYTES))?.[1] ?? null;
  } catch (error) {
    if (error instanceof HttpError) return null;
    throw error;
  }
}
