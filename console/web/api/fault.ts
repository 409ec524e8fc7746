const UNAVAILABLE = ['full', 'read_only', 'busy', 'closing'] as const;
type Unavailable = (typeof UNAVAILABLE)[number];

/**
 * A request that did not do what was asked. `code` is the server's own (`{error:{code,message}}`) or one of `offline` (no
 * answer), `timeout` (none in time) and `not_understood` (an answer that is none of the console's). `status` 0: no answer.
 */
export class ApiFault extends Error {
  readonly status: number;
  readonly code: string;
  /** When it is worth another try, as far as the server says. */
  readonly retryAfterS: number | null;

  constructor(status: number, code: string, message: string, retryAfterS: number | null = null) {
    super(message);
    this.name = 'ApiFault';
    this.status = status;
    this.code = code;
    this.retryAfterS = retryAfterS;
  }

  /** Why the console does nothing for anybody just now; it would have been right, and may be sent again. */
  get unavailable(): Unavailable | null {
    return this.status === 503 ? (UNAVAILABLE.find((code) => code === this.code) ?? null) : null;
  }

  /** Whether the same request may well succeed a little later. */
  get passing(): boolean {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}
