import type { Clock } from '../reconciler/ports.ts';
import { type HttpClient, type HttpResponse } from '../system/http-client.ts';
import { HttpError } from '../system/http-error.ts';
import { requestWithToken } from '../system/token-request.ts';
import type { Post, PostAnswer } from './delivery.ts';
import { retryAfterMs } from './retry-after.ts';

/** Of an exchange, the upload included: reports of 16 MiB go over slow lines. */
const SAAS_DEADLINE_MS = 30_000;
/** Of an answer's body; what comes after is not read. */
const ANSWER_MAX_BYTES = 64 * 1024;

export interface SaasClientOptions {
  readonly client: HttpClient;
  /** `saas_url` of agent.yaml; its path, if any, comes before `/edge/…`. */
  readonly saasUrl: string;
  /** The value of `Authorization` for one call: `Bearer <JWT>` (contract, section 7). Rejecting counts as no answer. */
  readonly authorize: (method: 'POST', url: URL) => Promise<string>;
  readonly clock: Clock;
  readonly deadlineMs?: number;
}

/**
 * JSON to the SaaS, with the agent's word on who it is. Redirects are not followed: the token speaks to one origin, and a
 * `saas_url` that moved is for a person to write down.
 */
export function createSaasClient(options: SaasClientOptions): { readonly post: Post } {
  const { client, authorize, clock, deadlineMs = SAAS_DEADLINE_MS } = options;
  const base = options.saasUrl.replace(/\/+$/, '');

  const post: Post = async (path, body, headers, signal) => {
    const url = new URL(base + path);
    try {
      const request = {
        method: 'POST',
        url,
        headers: { ...headers, 'content-type': 'application/json', accept: 'application/json' },
        body: JSON.stringify(body),
        signal,
        deadlineMs,
        maxBytes: ANSWER_MAX_BYTES,
      } as const;
      const response = await requestWithToken(client, request, () => authorize('POST', url));
      const location = response.headers.get('location');
      if (response.status >= 300 && response.status < 400 && location !== null) {
        response.discard();
        return {
          kind: 'no_answer',
          message: `POST ${path}: expected an answer, found a redirect to ${originOf(location, url)}; check saas_url`,
        };
      }
      return await answerOf(response, signal, clock.now());
    } catch (error) {
      signal.throwIfAborted();
      return { kind: 'no_answer', message: error instanceof Error ? error.message : String(error) };
    }
  };
  return { post };
}

/** The status is the answer: a body that is too long, or breaks off, does not make a delivered report undelivered. */
async function answerOf(response: HttpResponse, signal: AbortSignal, now: Date): Promise<PostAnswer> {
  const chunks: Uint8Array[] = [];
  try {
    for await (const chunk of response.body) chunks.push(chunk);
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof HttpError)) throw error;
  }
  return {
    kind: 'answer',
    status: response.status,
    body: Buffer.concat(chunks).subarray(0, ANSWER_MAX_BYTES).toString('utf8'),
    retryAfterMs: retryAfterMs(response.headers.get('retry-after'), now),
  };
}

/** A `Location` may carry a secret in its query: only where it leads is shown. */
function originOf(location: string, from: URL): string {
  return URL.canParse(location, from) ? new URL(location, from).origin : 'no URL';
}
