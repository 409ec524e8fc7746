import { type Agent, type ClientRequest, type IncomingMessage, request as plainRequest } from 'node:http';
import { request as secureRequest } from 'node:https';
import type { Socket } from 'node:net';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { guardedBody, type StallFloor } from './http-body.ts';
import { createConnections } from './http-connections.ts';
import { describeExchange, HttpError, toHttpError } from './http-error.ts';

/** The floor of threats.md: 1 KiB/s over 30 s of waiting. */
export const STALL_FLOOR: StallFloor = { bytesPerSecond: 1_024, overMs: 30_000 };
const MAX_HEADER_BYTES = 32 * 1_024;

/** A body that is read as it is sent. `bytes` of it, no more and no fewer, or the exchange fails. */
export interface StreamedBody {
  readonly bytes: number;
  readonly chunks: AsyncIterable<Uint8Array>;
}

export interface HttpRequest {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly url: string | URL;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array | StreamedBody;
  readonly signal: AbortSignal;
  /** Of the whole exchange, body included. */
  readonly deadlineMs: number;
  /** Of the answer's body, as it comes over the wire: no content encoding is asked for and none is undone. */
  readonly maxBytes: number;
  /** Default STALL_FLOOR; null switches it off. */
  readonly stallFloor?: StallFloor | null;
}

/** One answer. Its body is read once: by iterating `body`, with `bytes`, `text` or `json`, or given up with `discard`. */
export interface HttpResponse {
  readonly status: number;
  readonly url: URL;
  readonly headers: { get(name: string): string | null };
  readonly body: AsyncIterable<Uint8Array>;
  bytes(max?: number): Promise<Uint8Array>;
  text(max?: number): Promise<string>;
  /** Throws `malformed` when it is no JSON. */
  json(max?: number): Promise<unknown>;
  discard(): void;
}

/** Redirects are answers like any other; `followRedirects` follows them under a policy. */
export interface HttpClient {
  /**
   * Resolves when the answer's headers are there. Rejects with HttpError, or with the signal's reason when it is aborted;
   * reading the body throws the same.
   */
  request(request: HttpRequest): Promise<HttpResponse>;
  /** For a protocol that begins as a GET with an upgrade. Throws HttpError when the configuration names a wrong CA file or proxy. */
  upgradeRoute(url: URL): UpgradeRoute;
  /** Ends all connections, but those that were upgraded. */
  close(): void;
}

/** The same certificates, proxy, messages and clock offset as for a request. */
export interface UpgradeRoute {
  readonly agent: Agent;
  explain(error: unknown): HttpError;
  /** Tells of the answer's `Date`; the offset in milliseconds, or null when it has none. */
  answered(date: string | undefined): number | null;
}

export interface HttpClientOptions {
  readonly userAgent: string;
  readonly caFile?: string;
  readonly proxy?: string;
  readonly environment?: Readonly<Record<string, string | undefined>>;
  readonly clock?: { now(): Date };
  /**
   * Server time minus ours in milliseconds, and how far off that may be, from every `Date` header (whole seconds). Whoever wrote it
   * is known: `origin` by its certificate, or because it is this machine.
   */
  readonly onClockOffset?: (offsetMs: number, errorMs: number, origin: string) => void;
}

export function createHttpClient(options: HttpClientOptions): HttpClient {
  const environment = options.environment ?? process.env;
  const connections = createConnections({ caFile: options.caFile, proxy: options.proxy, environment });
  const now = () => (options.clock === undefined ? Date.now() : options.clock.now().getTime());

  /** A wrong `network.ca_file` or `network.proxy` is found out here, at first use: a mistake of the configuration, not a bug. */
  const agentFor = (url: URL, exchange: string, upgrade = false) => {
    try {
      return upgrade ? connections.agentForUpgrade(url) : connections.agentFor(url);
    } catch (cause) {
      const advice = 'correct network.ca_file or network.proxy';
      const message = `${exchange}: expected to set up the connection, found: ${(cause as Error).message}; ${advice}`;
      throw new HttpError(url.protocol === 'https:' ? 'tls' : 'network', message, { cause });
    }
  };

  const exchangeOnce = async (request: HttpRequest, url: URL): Promise<HttpResponse> => {
    request.signal.throwIfAborted();
    const exchange = describeExchange(request.method, url);
    const agent = agentFor(url, exchange);
    const sentAt = now();
    const body = typeof request.body === 'string' ? Buffer.from(request.body) : request.body;
    const length = body instanceof Uint8Array ? body.byteLength : body?.bytes;
    const outgoing = (url.protocol === 'https:' ? secureRequest : plainRequest)(url, {
      agent,
      method: request.method,
      maxHeaderSize: MAX_HEADER_BYTES,
      headers: {
        'user-agent': options.userAgent,
        accept: '*/*',
        'accept-encoding': 'identity',
        ...(length === undefined ? {} : { 'content-length': String(length) }),
        ...request.headers,
      },
    });

    let reason: { thrown: unknown } | null = null;
    /** The first thing that went wrong with the connection: a body that breaks off says less than its parser did. */
    let broken: Error | null = null;
    let failed: (error: Error) => void = () => {};
    const end = (thrown: unknown) => {
      reason ??= { thrown };
      outgoing.destroy(new Error('given up'));
      // Destroyed already, it tells nobody any more: whoever waits is told here.
      failed(new Error('given up'));
    };
    const onAbort = () => end(request.signal.reason);
    const deadline = setTimeout(() => {
      const message = `${exchange}: expected the whole answer within ${request.deadlineMs} ms, found no end of it`;
      end(new HttpError('timeout', message));
    }, request.deadlineMs);
    request.signal.addEventListener('abort', onAbort, { once: true });
    const release = () => {
      clearTimeout(deadline);
      request.signal.removeEventListener('abort', onAbort);
    };
    const explain = (error: unknown) =>
      reason === null
        ? toHttpError(broken ?? error, exchange, connections.proxied(url), new Date(now()))
        : reason.thrown;

    let message: IncomingMessage;
    try {
      message = await new Promise<IncomingMessage>((resolve, reject) => {
        failed = reject;
        outgoing.once('response', resolve);
        // Nobody asked for another protocol (RFC 9110, 7.8): without a listener the request would end without a word.
        outgoing.once('upgrade', (_answer, socket: Socket) => {
          socket.destroy();
          reject(new HttpError('malformed', `${exchange}: expected an answer, found a change of protocol`));
        });
        // Stays for the life of the request: an error after the answer is the body's to tell.
        outgoing.on('error', (error) => {
          broken ??= error;
          reject(error);
        });
        outgoing.once('close', () => reject(new Error('the connection was closed')));
        if (body === undefined || body instanceof Uint8Array) outgoing.end(body);
        else
          stream(body, outgoing, (cause) =>
            end(
              new HttpError(
                'network',
                `${exchange}: expected to read what is sent, found: ${String(cause)}`,
                { cause },
              ),
            ),
          );
      });
    } catch (error) {
      release();
      if (outgoing.reusedSocket && reason === null && isIdempotent(request.method) && wasStale(error)) {
        throw new StaleConnection();
      }
      throw explain(error);
    }
    // what a cache kept says when it was kept (RFC 9111, 5.1)
    if (Number(message.headers.age ?? 0) === 0) reportOffset(message.headers.date, sentAt, url);
    const { stallFloor = STALL_FLOOR, maxBytes } = request;
    const throwIfGivenUp = () => {
      if (reason !== null) throw reason.thrown;
    };
    const guard = { exchange, maxBytes, stallFloor, explain, throwIfGivenUp, release };
    const guarded = guardedBody(message, guard);
    return toResponse(message, url, exchange, guarded, release, maxBytes);
  };

  const reportOffset = (date: string | undefined, sentAt: number, url: URL): number | null => {
    const serverTime = Date.parse(date ?? '');
    if (Number.isNaN(serverTime)) return null;
    const answeredAt = now();
    // The header is cut to whole seconds: half a second later is the best guess.
    const offsetMs = Math.round(serverTime + 500 - (sentAt + answeredAt) / 2);
    options.onClockOffset?.(offsetMs, 500 + Math.ceil(Math.abs(answeredAt - sentAt) / 2), url.origin);
    return offsetMs;
  };

  return {
    async request(request) {
      const url = new URL(request.url);
      for (;;) {
        try {
          return await exchangeOnce(request, url);
        } catch (error) {
          // The server closed an idle connection as we used it (RFC 9112, 9.3.1): each stale one is found out once.
          if (!(error instanceof StaleConnection)) throw error;
        }
      }
    },
    upgradeRoute(url) {
      const exchange = describeExchange('GET', url);
      const agent = agentFor(url, exchange, true);
      const sentAt = now();
      return {
        agent,
        explain: (error) => toHttpError(error, exchange, connections.proxied(url), new Date(now())),
        answered: (date) => reportOffset(date, sentAt, url),
      };
    },
    close: () => connections.close(),
  };
}

/** An answer may come before all is sent (a refusal); what then breaks off on our side changes nothing any more. */
function stream(body: StreamedBody, outgoing: ClientRequest, onUnreadable: (cause: unknown) => void): void {
  const watched = async function* () {
    try {
      yield* body.chunks;
    } catch (error) {
      onUnreadable(error);
      throw error;
    }
  };
  pipeline(Readable.from(watched(), { objectMode: false }), outgoing).catch(() => outgoing.destroy());
}

class StaleConnection extends Error {}

function wasStale(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'ECONNRESET' || code === 'EPIPE';
}

function isIdempotent(method: HttpRequest['method']): boolean {
  return method === 'GET' || method === 'HEAD';
}

function toResponse(
  message: IncomingMessage,
  url: URL,
  exchange: string,
  body: AsyncGenerator<Uint8Array>,
  release: () => void,
  cap: number,
): HttpResponse {
  const bytes = async (max = cap) => {
    const encoding = message.headers['content-encoding'];
    const chunks: Uint8Array[] = [];
    let length = 0;
    for await (const chunk of body) {
      length += chunk.byteLength;
      if (length > max)
        throw new HttpError('too_large', `${exchange}: expected at most ${max} bytes, found more`);
      chunks.push(chunk);
    }
    if (length > 0 && encoding !== undefined && encoding !== 'identity') {
      throw new HttpError(
        'malformed',
        `${exchange}: expected no content encoding, found ${encoding.slice(0, 100)}`,
      );
    }
    return Buffer.concat(chunks, length);
  };
  const text = async (max?: number) => new TextDecoder().decode(await bytes(max));
  return {
    status: message.statusCode as number,
    url,
    headers: {
      get(name) {
        const value = message.headers[name.toLowerCase()];
        return value === undefined ? null : Array.isArray(value) ? value.join(', ') : value;
      },
    },
    body,
    bytes,
    text,
    async json(max) {
      const found = await text(max);
      try {
        return JSON.parse(found) as unknown;
      } catch (cause) {
        const shown = JSON.stringify(found.slice(0, 60));
        throw new HttpError('malformed', `${exchange}: expected JSON, found ${shown}`, { cause });
      }
    },
    discard() {
      message.on('error', () => {});
      message.once('close', release);
      // A short rest is read away, so that the connection can be kept; a long one is not worth it.
      if (Number(message.headers['content-length'] ?? Number.NaN) <= 64 * 1_024) message.resume();
      else message.destroy();
    },
  };
}
