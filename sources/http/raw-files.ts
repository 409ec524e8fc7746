import { type Retry, type Stalled, TUF_FOLDER } from '../../reconciler/ports.ts';
import type { HttpClient, HttpResponse } from '../../system/http-client.ts';
import { HttpError } from '../../system/http-error.ts';
import { followRedirects } from '../../system/http-redirects.ts';
import { retryAfter, setbackOfHttpError } from '../http-setback.ts';
import type { KeptFile } from './kept-snapshots.ts';

export type RawFile =
  | { readonly kind: 'present'; readonly file: KeptFile; readonly changed: boolean }
  | { readonly kind: 'missing' };

/** Ends the work of a source with what follows from it. */
export class SourceSetback extends Error {
  readonly setback: Retry | Stalled;

  constructor(setback: Retry | Stalled) {
    super(setback.message);
    this.setback = setback;
  }
}

export interface RawFiles {
  /** One conditional GET. Throws SourceSetback for all but 200, 304, 404 and 410, and the signal's reason when it is aborted. */
  get(path: string, maxBytes: number, known: KeptFile | null): Promise<RawFile>;
}

/** Of all files of one look together: as many bytes as a commit of git may have here. */
const MAX_TOTAL_BYTES = 32 * 1_024 * 1_024;
/** A longer one is not kept: sent back as a condition it would be refused by every honest server (431). */
const MAX_ETAG_CHARACTERS = 1_024;

export interface RawFilesOptions {
  /** Of the folder, with a slash at its end. */
  readonly base: URL;
  readonly client: HttpClient;
  /** Value of the Authorization header, or null; only ever sent to the origin of `base`. */
  authorization(): Promise<string | null>;
  readonly signal: AbortSignal;
  /** Whether an ETag is believed, and 304 with it. False: every file is asked for whole. */
  readonly conditional: boolean;
  /** What is left of the deadline of the whole. */
  remainingMs(): number;
  now(): Date;
}

/** The files of a tenant under `<url>/raw/tenant/<slug>/`. Redirects stay on the origin; https never becomes http. */
export function createRawFiles(options: RawFilesOptions): RawFiles {
  const { base, client, signal } = options;
  let headers: Promise<Record<string, string>> | null = null;
  let total = 0;

  const counted = (file: KeptFile, changed: boolean): RawFile => {
    total += file.bytes.byteLength;
    return { kind: 'present', file, changed };
  };

  return {
    async get(path, maxBytes, known) {
      headers ??= authorizationHeader(options);
      const etag = options.conditional ? (known?.etag ?? null) : null;
      const condition: Record<string, string> = etag === null ? {} : { 'if-none-match': etag };
      const url = new URL(path, base);
      if (total > MAX_TOTAL_BYTES) throw tooMuch(base);
      const request = {
        method: 'GET',
        url,
        headers: { ...(await headers), ...condition },
        signal,
        deadlineMs: Math.max(1, options.remainingMs()),
        maxBytes,
      } as const;
      try {
        const followed = await followRedirects(client, request, { allows: () => null, sameOriginOnly: true });
        if (followed.kind !== 'answered') {
          const message =
            followed.kind === 'redirect_refused' ? followed.message : `${url.href}: not allowed`;
          throw new SourceSetback({ kind: 'retry', code: 'redirect_refused', message });
        }
        const { response } = followed;
        switch (response.status) {
          case 200: {
            const bytes = await response.bytes();
            const changed = known === null || Buffer.compare(bytes, known.bytes) !== 0;
            return counted({ bytes, etag: keepableEtag(response) }, changed);
          }
          case 304:
            response.discard();
            if (known === null || condition['if-none-match'] === undefined)
              throw unexpected(response, options.now());
            return counted(known, false);
          case 404:
          case 410:
            response.discard();
            return { kind: 'missing' };
          default:
            response.discard();
            throw unexpected(response, options.now());
        }
      } catch (error) {
        if (!(error instanceof HttpError)) throw error;
        // A signed document that is too large is for trust to refuse: its size is all that is handed on of it.
        if (error.code === 'too_large' && (path.endsWith('.jws.json') || path.startsWith(`${TUF_FOLDER}/`))) {
          return counted({ bytes: new Uint8Array(maxBytes + 1), etag: null }, true);
        }
        throw new SourceSetback(setbackOfHttpError(error));
      }
    },
  };
}

function tooMuch(base: URL): SourceSetback {
  const message = `${base.href}: expected files of at most ${MAX_TOTAL_BYTES} bytes together, found more`;
  return new SourceSetback({ kind: 'retry', code: 'source_too_large', message });
}

function keepableEtag(response: HttpResponse): string | null {
  const etag = response.headers.get('etag');
  return etag !== null && etag.length <= MAX_ETAG_CHARACTERS ? etag : null;
}

async function authorizationHeader(options: RawFilesOptions): Promise<Record<string, string>> {
  try {
    const authorization = await options.authorization();
    return authorization === null ? {} : { authorization };
  } catch (cause) {
    throw new SourceSetback({
      kind: 'stalled',
      code: 'credentials_refused',
      message: (cause as Error).message,
    });
  }
}

function unexpected(response: HttpResponse, now: Date): SourceSetback {
  const { status, url } = response;
  const message = `${url.origin}${url.pathname}: expected the file, found status ${status}`;
  if (status === 401 || status === 403) {
    const advice = 'check git-token in credentials_dir';
    return new SourceSetback({
      kind: 'stalled',
      code: 'credentials_refused',
      message: `${message}; ${advice}`,
    });
  }
  return new SourceSetback({ kind: 'retry', code: 'server_error', message, ...retryAfter(response, now) });
}
