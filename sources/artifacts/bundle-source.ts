import type {
  BundleRequest,
  BundleSource,
  Clock,
  FetchProgress,
  PartialDownload,
  Setback,
} from '../../reconciler/ports.ts';
import type { ArtifactCredentials } from '../../schemas/credentials.ts';
import type { StallFloor } from '../../system/http-body.ts';
import { type HttpClient, type HttpResponse, STALL_FLOOR } from '../../system/http-client.ts';
import { HttpError } from '../../system/http-error.ts';
import { followRedirects } from '../../system/http-redirects.ts';
import { setbackOfHttpError } from '../http-setback.ts';
import { storageSetback } from '../storage-setback.ts';
import { createAllowList } from './allow-list.ts';
import { answerTo, type Resume } from './range-answer.ts';
import { setbackOfResponse } from './response-setback.ts';
import { EMPTY_SHA256, signatureHeaders } from './signature-v4.ts';

/** Of one attempt; a resumable download goes on in the next one. */
const DEADLINE_MS = 2 * 3_600_000;
const PROGRESS_EVERY_MS = 100;
/** S3 refuses a signature that is further off than a quarter of an hour: a clock is looked at well before. */
const SKEW_MS = 5 * 60_000;

export interface BundleSourceOptions {
  readonly client: HttpClient;
  /** `artifacts.allow`; when it is not configured, the origin of `source.url`. */
  readonly allow: readonly string[];
  /** `artifacts.endpoint`. */
  readonly endpoint: string | null;
  readonly region: string;
  /** Read anew for every bundle: a rotated key counts at once. Null: anonymous. */
  credentials(): Promise<ArtifactCredentials | null>;
  /** `artifacts.max_bytes`. */
  readonly maxBytes: number;
  readonly clock: Clock;
  readonly deadlineMs?: number;
  readonly stallFloor?: StallFloor;
}

type FetchOutcome = Awaited<ReturnType<BundleSource['fetch']>>;

/**
 * Bundles over HTTPS (anonymous) and S3 (`s3://` and https below the endpoint; Signature V4, path style). A download goes on where
 * it stopped when the server confirms the strong ETag it began with. Contract, sections 2 and 4.
 */
export function createBundleSource(options: BundleSourceOptions): BundleSource {
  const { client, clock } = options;
  const list = createAllowList(options.allow, options.endpoint);

  /** What the store's `Date` said of our clock when it refused a signature: what it is signed by, and nothing else. */
  let skewMs = 0;
  const storeTime = () => new Date(clock.now().getTime() + skewMs);
  /** True when the store's clock is another one than we signed by; from then on we sign by it. */
  const learnsStoreTime = (response: HttpResponse) => {
    const refused = response.status === 403 || response.status === 400;
    const storeMs = Date.parse(response.headers.get('date') ?? '');
    if (!refused || !(Math.abs(storeMs - storeTime().getTime()) > SKEW_MS)) return false;
    skewMs = storeMs - clock.now().getTime();
    return true;
  };

  const readCredentials = async () => {
    try {
      return await options.credentials();
    } catch (cause) {
      throw new CredentialsUnreadable((cause as Error).message, { cause });
    }
  };

  const ask = (url: URL, resume: Resume | null, signal: AbortSignal) => {
    const range: Record<string, string> =
      resume === null ? {} : { range: `bytes=${resume.offset}-`, 'if-range': resume.validator };
    return followRedirects(
      client,
      {
        method: 'GET',
        url,
        headers: range,
        signal,
        deadlineMs: options.deadlineMs ?? DEADLINE_MS,
        // Counted in `fill`, which knows what is there already and what follows from too much.
        maxBytes: Number.MAX_SAFE_INTEGER,
        stallFloor: options.stallFloor ?? STALL_FLOOR,
      },
      {
        allows: (hop) => list.allowsHop(hop),
        sameOriginOnly: false,
        async authorize(hop) {
          if (!list.underEndpoint(hop) || hop.searchParams.has('X-Amz-Signature')) return {};
          const credentials = await readCredentials();
          if (credentials === null) return {};
          const request = { method: 'GET', url: hop, payloadSha256: EMPTY_SHA256 };
          return signatureHeaders(request, { ...credentials, region: options.region }, storeTime());
        },
      },
    );
  };

  /** An answer whose body goes after the bytes that are there; asked a second time, whole, when they cannot be gone on from. */
  const open = async (request: BundleRequest, into: PartialDownload, signal: AbortSignal) => {
    const url = list.requestUrl(request.url);
    const cap = request.size ?? options.maxBytes;
    const { offset, validator } = into;
    let resume = offset > 0 && offset < cap && validator !== null ? { offset, validator } : null;
    let timeLearned = false;
    for (;;) {
      const followed = await ask(url, resume, signal);
      if (followed.kind === 'not_allowed') return followed.refusal;
      if (followed.kind === 'redirect_refused') {
        return { kind: 'retry', code: 'redirect_refused', message: followed.message } as const;
      }
      const { response } = followed;
      const answer = answerTo(response, resume, request.size);
      switch (answer.kind) {
        case 'whole':
          await into.restart(answer.validator);
          return { kind: 'open', response, length: answer.length } as const;
        case 'rest':
          return { kind: 'open', response, length: answer.length } as const;
        case 'restart':
          response.discard();
          resume = null;
          break;
        case 'malformed':
          response.discard();
          return {
            kind: 'retry',
            code: 'server_error',
            message: `${shown(url)}: ${answer.message}`,
          } as const;
        case 'no_bundle':
          if (!timeLearned && list.underEndpoint(response.url) && learnsStoreTime(response)) {
            timeLearned = true;
            response.discard();
            break;
          }
          return await setbackOfResponse(response, shown(url), clock.now());
      }
    }
  };

  const fill = async (
    request: BundleRequest,
    into: PartialDownload,
    opened: { response: HttpResponse; length: number | null },
    onProgress: ((progress: FetchProgress) => void) | undefined,
  ): Promise<FetchOutcome> => {
    const { size, flow, sha256 } = request;
    const at = shown(opened.response.url);
    const total = opened.length === null ? size : into.offset + opened.length;
    const wrongSize = (found: string): FetchOutcome => {
      return {
        kind: 'mismatch',
        message: `${at}: expected ${size} bytes as the manifest says, found ${found}`,
      };
    };
    const tooLarge = (found: string): Setback => {
      const advice = 'raise artifacts.max_bytes, or publish a smaller bundle';
      const message = `${at}: expected at most ${options.maxBytes} bytes, found ${found}; ${advice}`;
      return { kind: 'stalled', code: 'caps_exceeded', message };
    };
    if (total !== null && total > options.maxBytes) {
      opened.response.discard();
      return tooLarge(`${total}`);
    }
    if (size !== null && total !== size) {
      opened.response.discard();
      return wrongSize(`${total}`);
    }
    const cap = size ?? options.maxBytes;
    let bytes = into.offset;
    let toldAt = Number.NEGATIVE_INFINITY;
    for await (const chunk of opened.response.body) {
      bytes += chunk.byteLength;
      if (bytes > cap) {
        await into.restart(null);
        return size === null ? tooLarge('more') : wrongSize('more');
      }
      await into.write(chunk);
      const now = clock.monotonicMs();
      if (now - toldAt < PROGRESS_EVERY_MS) continue;
      toldAt = now;
      onProgress?.({ flow, bytes, total });
    }
    onProgress?.({ flow, bytes, total });
    if (size !== null && bytes < size) {
      await into.restart(null);
      return wrongSize(`${bytes}`);
    }
    const finished = await into.finish();
    if (finished.kind === 'verified') return { kind: 'fetched', bytes: finished.bytes };
    const message = `${at}: expected SHA-256 ${sha256}, found ${finished.found} in ${finished.bytes} bytes`;
    return { kind: 'mismatch', message };
  };

  return {
    allows: (url) => list.allows(url),
    async fetch(request, into, { signal, onProgress }) {
      const refusal = list.allows(request.url);
      if (refusal !== null) return refusal;
      if (request.size !== null && request.size > options.maxBytes) {
        const message = `${shown(list.requestUrl(request.url))}: expected at most ${options.maxBytes} bytes (artifacts.max_bytes), found a size of ${request.size} in the manifest`;
        return { kind: 'stalled', code: 'caps_exceeded', message };
      }
      try {
        const opened = await open(request, into, signal);
        return opened.kind === 'open' ? await fill(request, into, opened, onProgress) : opened;
      } catch (error) {
        signal.throwIfAborted();
        if (error instanceof HttpError) return setbackOfHttpError(error);
        if (error instanceof CredentialsUnreadable) {
          return { kind: 'stalled', code: 'credentials_refused', message: error.message };
        }
        const setback = storageSetback(error);
        if (setback === null) throw error;
        return setback;
      } finally {
        await into.keep();
      }
    },
  };
}

class CredentialsUnreadable extends Error {}

/** Without query: it may carry a signature. */
function shown(url: URL): string {
  return `${url.origin}${url.pathname}`;
}
