import { printable } from './printable.ts';

/** Why an exchange failed; a closed list. */
export type HttpErrorCode =
  /** No connection, or it broke off. */
  | 'network'
  /** The certificate is not believed, or TLS failed. */
  | 'tls'
  /** The deadline of the whole exchange passed. */
  | 'timeout'
  /** Slower than the floor. */
  | 'stalled'
  /** More bytes than the cap. */
  | 'too_large'
  /** Not HTTP, or not the JSON or encoding that was asked for. */
  | 'malformed';

/** An expected failure of an exchange. The message names method and URL, without query and user info, and can be shown as it is. */
export class HttpError extends Error {
  readonly code: HttpErrorCode;

  constructor(code: HttpErrorCode, message: string, options?: { cause?: unknown }) {
    super(printable(message), options);
    this.name = 'HttpError';
    this.code = code;
  }
}

/** `GET https://host/path`: for messages. A query may carry a signature, so it is never shown. */
export function describeExchange(method: string, url: URL): string {
  return `${method} ${url.protocol}//${url.host}${url.pathname}`;
}

/** Gives what Node threw a code and a sentence with what to do. `now`: by the clock that certificates were judged by. */
export function toHttpError(error: unknown, exchange: string, proxied: boolean, now: Date): HttpError {
  if (error instanceof HttpError) return error;
  const { code = '', message } = error as NodeJS.ErrnoException;
  const found = code === '' || message.includes(code) ? message : `${message} (${code})`;
  const through = proxied ? ' through the proxy' : '';
  if (isTlsCode(code)) {
    const advice = TIMELY.has(code)
      ? `this machine's clock says ${now.toISOString().slice(0, 19)}Z: set it if that is wrong, nothing else can; if it is right, the server needs a new certificate`
      : 'check the host name, the clock, and network.ca_file when the certificate is a private one';
    return new HttpError('tls', `${exchange}: expected a certificate to believe, found ${found}; ${advice}`, {
      cause: error,
    });
  }
  if (code.startsWith('HPE_')) {
    return new HttpError('malformed', `${exchange}: expected an HTTP answer, found ${found}`, {
      cause: error,
    });
  }
  return new HttpError('network', `${exchange}: expected an answer${through}, found ${found}`, {
    cause: error,
  });
}

/** A certificate that is not good at this time, by our clock. */
const TIMELY: ReadonlySet<string> = new Set(['CERT_NOT_YET_VALID', 'CERT_HAS_EXPIRED']);

function isTlsCode(code: string): boolean {
  return (
    code.startsWith('ERR_TLS_') ||
    code.startsWith('ERR_SSL_') ||
    code.startsWith('CERT_') ||
    code.startsWith('CRL_') ||
    code.startsWith('UNABLE_TO_') ||
    code === 'EPROTO' ||
    code === 'HOSTNAME_MISMATCH' ||
    code === 'INVALID_CA' ||
    code === 'INVALID_PURPOSE' ||
    code === 'PATH_LENGTH_EXCEEDED' ||
    code === 'DEPTH_ZERO_SELF_SIGNED_CERT' ||
    code === 'SELF_SIGNED_CERT_IN_CHAIN'
  );
}
