import type { Retry, Stalled } from '../../reconciler/ports.ts';
import type { HttpResponse } from '../../system/http-client.ts';
import { HttpError } from '../../system/http-error.ts';
import { retryAfter } from '../http-setback.ts';

const MAX_ERROR_BYTES = 4_096;

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
  const message = `${shown}: expected the bundle, ${found}`;
  return { kind: 'retry', code: 'server_error', message, ...retryAfter(response, now) };
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
