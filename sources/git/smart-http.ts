import type { HttpClient, HttpResponse } from '../../system/http-client.ts';
import { GitFault, malformed } from './git-fault.ts';

const MAX_REDIRECTS = 5;
const MAX_RETRY_AFTER_MS = 3_600_000;
const INFO_REFS = '/info/refs?service=git-upload-pack';

export interface SmartHttpOptions {
  readonly http: HttpClient;
  /** Base of the repository, as in agent.yaml. */
  readonly url: string;
  /** Where an earlier advertisement led, of the same origin. Default `url`. */
  readonly base?: string;
  /** `token` or `user:token`; null for anonymous. Sent to the origin of `url` only. */
  readonly credentials: string | null;
  readonly signal: AbortSignal;
  /** Milliseconds left for the next exchange, its body included. */
  readonly remainingMs: () => number;
  readonly now: () => Date;
}

/** git-upload-pack of one repository over HTTP (gitprotocol-http), asked with protocol 2. */
export interface SmartHttp {
  /** Where the repository is, after redirects of `advertisement`. */
  base(): string;
  advertisement(maxBytes: number): Promise<HttpResponse>;
  post(body: string, maxBytes: number): Promise<HttpResponse>;
}

export function createSmartHttp(options: SmartHttpOptions): SmartHttp {
  const origin = new URL(options.url).origin;
  let base = options.base ?? options.url.replace(/\/+$/, '');
  const authorization = basicAuthorization(options.credentials);

  const exchange = async (
    request: { method: 'GET' | 'POST'; url: string; body?: string; type?: string; accept: string },
    maxBytes: number,
  ): Promise<HttpResponse> => {
    let url = new URL(request.url);
    for (let hops = 0; hops <= MAX_REDIRECTS; hops += 1) {
      const deadlineMs = options.remainingMs();
      if (deadlineMs <= 0) {
        throw new GitFault('timeout', `${shown(url)}: expected an answer within source.timeout, found none`);
      }
      const response = await options.http.request({
        method: request.method,
        url,
        ...(request.body === undefined ? {} : { body: request.body }),
        headers: {
          accept: request.accept,
          'git-protocol': 'version=2',
          ...(request.type === undefined ? {} : { 'content-type': request.type }),
          ...(authorization === null ? {} : { authorization }),
        },
        signal: options.signal,
        deadlineMs,
        maxBytes,
      });
      const { status } = response;
      if (status === 200) return accepted(response, url, request.accept);
      const location = response.headers.get('location');
      response.discard();
      if (status < 300 || status > 399 || location === null) throw refusedBy(response, url, options.now());
      url = redirected(url, location, origin, request.method, status);
    }
    throw new GitFault(
      'redirect_refused',
      `${shown(url)}: expected at most ${MAX_REDIRECTS} redirects, found more`,
    );
  };

  return {
    base: () => base,
    async advertisement(maxBytes) {
      const request = {
        method: 'GET',
        url: base + INFO_REFS,
        accept: 'application/x-git-upload-pack-advertisement',
      } as const;
      const response = await exchange(request, maxBytes);
      // As git does: where the advertisement came from is where the rest is asked.
      const found = response.url.href;
      if (found !== request.url) {
        if (!found.endsWith(INFO_REFS)) {
          response.discard();
          throw new GitFault(
            'redirect_refused',
            `${shown(response.url)}: expected a redirect to …/info/refs, found another address; correct source.url`,
          );
        }
        base = found.slice(0, -INFO_REFS.length);
      }
      return response;
    },
    post: (body, maxBytes) =>
      exchange(
        {
          method: 'POST',
          url: `${base}/git-upload-pack`,
          body,
          type: 'application/x-git-upload-pack-request',
          accept: 'application/x-git-upload-pack-result',
        },
        maxBytes,
      ),
  };
}

/** The forges take a token as the password of any user name; this one is what GitHub documents. */
function basicAuthorization(credentials: string | null): string | null {
  if (credentials === null || credentials === '') return null;
  const pair = credentials.includes(':') ? credentials : `x-access-token:${credentials}`;
  return `Basic ${Buffer.from(pair).toString('base64')}`;
}

function redirected(from: URL, location: string, origin: string, method: string, status: number): URL {
  const refuse = (found: string) =>
    new GitFault('redirect_refused', `${shown(from)}: expected an answer of its own, found ${found}`);
  if (!URL.canParse(location, from)) throw refuse('a redirect without an address');
  const target = new URL(location, from);
  if (target.origin !== origin || target.username !== '' || target.password !== '') {
    throw refuse(
      `a redirect to ${target.origin}; git credentials stay with ${origin}: if it is right, write that address into source.url`,
    );
  }
  if (method === 'POST' && status !== 307 && status !== 308) {
    throw refuse(`a redirect (${status}) that drops the question; correct source.url`);
  }
  return target;
}

function accepted(response: HttpResponse, url: URL, expectedType: string): HttpResponse {
  const type = (response.headers.get('content-type') ?? 'nothing').split(';')[0]?.trim();
  const encoding = response.headers.get('content-encoding') ?? 'identity';
  if (type === expectedType && encoding === 'identity') return response;
  response.discard();
  const found =
    type === expectedType ? `content encoding ${encoding.slice(0, 100)}` : String(type).slice(0, 100);
  throw malformed(
    `${shown(url)}: expected ${expectedType}, found ${found}; is it the URL of a git repository over smart HTTP?`,
  );
}

function refusedBy(response: HttpResponse, url: URL, now: Date): GitFault {
  const { status } = response;
  const afterMs = retryAfter(response.headers.get('retry-after'), now);
  if (status === 401 || (status === 403 && afterMs === undefined)) {
    return new GitFault(
      'credentials_refused',
      `${shown(url)}: expected to be let in, found ${status}; put a valid token into credentials_dir/git-token, or enrol this agent again`,
    );
  }
  if (status === 404 || status === 410) {
    return new GitFault(
      'repository_missing',
      `${shown(url)}: expected a git repository, found ${status}; it does not exist, or the git token does not open it`,
    );
  }
  return new GitFault('server_error', `${shown(url)}: expected 200, found ${status}`, { afterMs });
}

/** RFC 9110, 10.2.3: seconds or a date. At most an hour is believed. */
function retryAfter(value: string | null, now: Date): number | undefined {
  if (value === null) return undefined;
  const ms = /^\d+$/.test(value) ? Number(value) * 1_000 : Date.parse(value) - now.getTime();
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(0, ms), MAX_RETRY_AFTER_MS);
}

function shown(url: URL): string {
  return `${url.origin}${url.pathname}`;
}
