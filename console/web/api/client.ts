import { ApiFault } from './fault.ts';

const TIMEOUT_MS = 20_000;

type QueryValue = string | number | boolean | readonly string[] | null | undefined;
/** What goes behind the `?`: absent, empty and null values are left out, lists become `a,b`. */
export type Query = Readonly<Record<string, QueryValue>>;

export interface CallOptions {
  readonly query?: object;
  readonly signal?: AbortSignal;
  readonly timeoutMs?: number;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Api {
  get<T>(path: string, options?: CallOptions): Promise<T>;
  /** Changes something: carries the CSRF token of the session. */
  send<T>(
    method: 'POST' | 'PUT' | 'PATCH' | 'DELETE',
    path: string,
    body?: unknown,
    options?: CallOptions,
  ): Promise<T>;
}

export interface ApiOptions {
  /** Of the session; null before anybody has signed in. */
  readonly csrf: () => string | null;
  /** The server knows no session any more. */
  readonly onSignedOut: () => void;
  /** What the server's clock says, less what this browser's does. */
  readonly onClock?: (offsetMs: number) => void;
}

/** The console's API as the pages call it: JSON in and out, a deadline on every call, faults as `ApiFault`. */
export function createApi({ csrf, onSignedOut, onClock }: ApiOptions): Api {
  async function call<T>(method: string, path: string, body: unknown, options: CallOptions): Promise<T> {
    const deadline = AbortSignal.timeout(options.timeoutMs ?? TIMEOUT_MS);
    const signal = options.signal === undefined ? deadline : AbortSignal.any([options.signal, deadline]);
    const headers: Record<string, string> = { accept: 'application/json', ...options.headers };
    if (body !== undefined) headers['content-type'] = 'application/json';
    const token = method === 'GET' ? null : csrf();
    if (token !== null) headers['x-csrf-token'] = token;
    try {
      const response = await fetch(path + queryText(options.query as Query | undefined), {
        method,
        headers,
        body: body === undefined ? undefined : JSON.stringify(body),
        credentials: 'same-origin',
        cache: 'no-store',
        signal,
      });
      const date = Date.parse(response.headers.get('date') ?? '');
      if (!Number.isNaN(date)) onClock?.(date - Date.now());
      const text = await response.text();
      if (response.ok) return (text === '' ? null : JSON.parse(text)) as T;
      throw faultOf(response, text);
    } catch (error) {
      const fault = error instanceof ApiFault ? error : networkFault(error, options.signal);
      // A password that is not right is no session that has ended.
      if (fault instanceof ApiFault && fault.status === 401 && !path.startsWith('/api/session'))
        onSignedOut();
      throw fault;
    }
  }
  return {
    get: (path, options = {}) => call('GET', path, undefined, options),
    send: (method, path, body, options = {}) => call(method, path, body, options),
  };
}

/** `?a=1&b=x%2Cy`, or nothing. */
export function queryText(query: Query = {}): string {
  const words = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value === undefined || value === null || value === '') continue;
    if (Array.isArray(value) && value.length === 0) continue;
    words.set(name, Array.isArray(value) ? value.join(',') : String(value));
  }
  const text = words.toString();
  return text === '' ? '' : `?${text}`;
}

function faultOf(response: Response, text: string): ApiFault {
  const seconds = Number(response.headers.get('retry-after') ?? Number.NaN);
  const retryAfterS = Number.isFinite(seconds) ? seconds : null;
  try {
    const { error } = JSON.parse(text) as { error: { code: string; message: string } };
    return new ApiFault(response.status, error.code, error.message, retryAfterS);
  } catch {
    return new ApiFault(response.status, 'not_understood', `HTTP ${response.status}`, retryAfterS);
  }
}

function networkFault(error: unknown, asked: AbortSignal | undefined): unknown {
  // Whoever asked has gone away: nothing to tell.
  if (asked?.aborted === true) return error;
  if (error instanceof DOMException && error.name === 'TimeoutError')
    return new ApiFault(0, 'timeout', error.message);
  if (error instanceof SyntaxError) return new ApiFault(502, 'not_understood', error.message);
  return new ApiFault(0, 'offline', error instanceof Error ? error.message : String(error));
}
