/**
 * A request that is answered with an error: `{error:{code, message}}` and the HTTP status. `code` is for programs and never
 * changes its meaning; `message` says what was expected, what was found and what to do, and never holds a secret.
 */
export class RequestRefused extends Error {
  readonly status: number;
  readonly code: string;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, code: string, message: string, headers: Readonly<Record<string, string>> = {}) {
    super(message);
    this.name = 'RequestRefused';
    this.status = status;
    this.code = code;
    this.headers = headers;
  }
}

/** What the address names does not exist, or is not the caller's to see: the two are answered alike. */
export function notFound(what: string, code = 'not_found'): RequestRefused {
  return new RequestRefused(404, code, what);
}
