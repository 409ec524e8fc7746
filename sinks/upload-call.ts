import type { Clock } from '../reconciler/ports.ts';
import type { HttpClient, HttpResponse, StreamedBody } from '../system/http-client.ts';
import { HttpError } from '../system/http-error.ts';
import { requestWithToken } from '../system/token-request.ts';
import { retryAfterMs } from './retry-after.ts';

/** A piece of 8 MiB over a line of 15 KiB/s. */
const PIECE_DEADLINE_MS = 10 * 60_000;
const DEADLINE_MS = 30_000;
const ANSWER_MAX_BYTES = 16 * 1_024;

export interface UploadRequest {
  readonly method: 'POST' | 'HEAD' | 'PATCH';
  readonly url: URL;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: StreamedBody;
}

export type UploadAnswer =
  | {
      readonly kind: 'answer';
      readonly status: number;
      /** Of `Upload-Offset`; null when there is none or it is no number. */
      readonly offset: number | null;
      /** Of `Location`, resolved. */
      readonly location: URL | null;
      readonly body: string;
      readonly retryAfterMs: number | null;
    }
  | { readonly kind: 'no_answer'; readonly message: string };

/** One request of the upload protocol. Every expected failure is a value; rejects only when the signal is aborted. */
export type UploadCall = (request: UploadRequest, signal: AbortSignal) => Promise<UploadAnswer>;

/** Requests of tus 1.0.0 with the agent's word on who it is. Redirects are not followed: a token speaks to one origin. */
export function createUploadCall(options: {
  readonly client: HttpClient;
  readonly authorize: (method: 'POST' | 'HEAD' | 'PATCH', url: URL) => Promise<string>;
  readonly clock: Clock;
}): UploadCall {
  const { client, authorize, clock } = options;
  return async ({ method, url, headers, body }, signal) => {
    try {
      const request = {
        method,
        url,
        headers: { ...headers, 'tus-resumable': '1.0.0', accept: 'application/json' },
        ...(body === undefined ? {} : { body }),
        signal,
        deadlineMs: body === undefined ? DEADLINE_MS : PIECE_DEADLINE_MS,
        maxBytes: ANSWER_MAX_BYTES,
      };
      const response = await requestWithToken(client, request, () => authorize(method, url));
      const location = response.headers.get('location');
      return {
        kind: 'answer',
        status: response.status,
        offset: offsetIn(response),
        location: location !== null && URL.canParse(location, url) ? new URL(location, url) : null,
        body: await textOf(response, signal),
        retryAfterMs: retryAfterMs(response.headers.get('retry-after'), clock.now()),
      };
    } catch (error) {
      signal.throwIfAborted();
      return { kind: 'no_answer', message: error instanceof Error ? error.message : String(error) };
    }
  };
}

function offsetIn(response: HttpResponse): number | null {
  const text = response.headers.get('upload-offset')?.trim() ?? '';
  return /^\d{1,15}$/.test(text) ? Number(text) : null;
}

/** The status is the answer: a body that is too long, or breaks off, does not change it. */
async function textOf(response: HttpResponse, signal: AbortSignal): Promise<string> {
  try {
    return await response.text();
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof HttpError)) throw error;
    return '';
  }
}
