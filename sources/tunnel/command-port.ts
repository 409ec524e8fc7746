import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Clock, CommandReceipt } from '../../reconciler/ports.ts';
import type { Log } from '../../system/log.ts';
import { createRateLimit } from './rate-limit.ts';

export interface CommandPortDeps {
  /** `CommandInbox.receive` of this channel. */
  receive(jws: string): Promise<CommandReceipt>;
  readonly clock: Clock;
  readonly log: Log;
}

/** A loopback port that takes commands and serves nothing else. */
export interface CommandPort {
  readonly port: number;
  /** Lets answers that are being given go out, for a moment, and closes every connection. */
  close(): Promise<void>;
}

const BODY_MAX_BYTES = 64 * 1_024;
const DRAINED_MAX_BYTES = 1_024 * 1_024;
const HEADERS_MAX_BYTES = 8 * 1_024;
const HEADERS_TIMEOUT_MS = 5_000;
const REQUEST_TIMEOUT_MS = 10_000;
/** Of a connection on which nothing moves; longer than a command takes to be on disk. */
const IDLE_TIMEOUT_MS = 30_000;
const CONNECTIONS_MAX = 64;
const PER_SECOND = 20;
const BURST = 100;
const CLOSING_MS = 1_000;

interface Answer {
  readonly status: number;
  readonly body: { readonly command_id: string } | { readonly error: { code: string; message: string } };
  readonly headers?: Readonly<Record<string, string>>;
}

/**
 * `POST /commands` on a free port of 127.0.0.1 (contract, section 8): the JWS as body, 202 once it is on disk, 401 not believed,
 * 409 seen before, 413, 429. Whoever reaches it may be anybody: an answer says nothing about the agent, not even why a command was not
 * believed (the agent's events say that), and one request is one connection, with deadlines.
 */
export async function openCommandPort(deps: CommandPortDeps): Promise<CommandPort> {
  const limit = createRateLimit(deps.clock, { perSecond: PER_SECOND, burst: BURST });
  const server = createServer(
    {
      maxHeaderSize: HEADERS_MAX_BYTES,
      headersTimeout: HEADERS_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      connectionsCheckingInterval: 1_000,
      keepAlive: false,
    },
    (request, response) => {
      response.sendDate = false;
      answer(request).then(
        (given) => send(response, given),
        (error: unknown) => {
          if (!request.destroyed) deps.log.error('A command could not be taken', { error });
          send(response, FAULT);
        },
      );
    },
  );
  server.maxConnections = CONNECTIONS_MAX;
  server.setTimeout(IDLE_TIMEOUT_MS);

  const answer = async (request: IncomingMessage): Promise<Answer> => {
    if (request.url !== '/commands') return refusal(404, 'not_found', 'expected POST /commands');
    if (request.method !== 'POST')
      return { ...refusal(405, 'method_not_allowed', 'expected POST'), headers: { Allow: 'POST' } };
    const wait = limit.take();
    if (wait > 0) return later('too many commands at once', wait);
    const body = await readBody(request);
    if (body === null) return TOO_LARGE;
    return answerTo(await deps.receive(body));
  };

  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen({ host: '127.0.0.1', port: 0 }, resolve);
  });
  server.on('error', (error) => deps.log.warn('The command port had a fault', { error }));
  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeIdleConnections();
      const patience = setTimeout(() => server.closeAllConnections(), CLOSING_MS);
      await closed;
      clearTimeout(patience);
    },
  };
}

function answerTo(receipt: CommandReceipt): Answer {
  switch (receipt.kind) {
    case 'accepted':
      return { status: 202, body: { command_id: receipt.commandId } };
    case 'repeated':
      return refusal(409, 'seen_before', 'this command was taken before');
    case 'busy':
      return later('too many commands wait', receipt.afterMs);
    case 'refused':
      if (receipt.code === 'command_too_large') return TOO_LARGE;
      return refusal(401, 'not_believed', 'the command was not believed');
  }
}

const TOO_LARGE = refusal(413, 'too_large', `expected at most ${BODY_MAX_BYTES} bytes`);
const FAULT = refusal(503, 'unavailable', 'the command could not be taken; send it again');

function refusal(status: number, code: string, message: string): Answer {
  return { status, body: { error: { code, message } } };
}

function later(message: string, afterMs: number): Answer {
  const seconds = Math.max(1, Math.ceil(afterMs / 1_000));
  return {
    ...refusal(429, 'busy', `${message}; send it again later`),
    headers: { 'Retry-After': `${seconds}` },
  };
}

/**
 * Null when there is more than a command can have. Some of that is read all the same, and let go: a sender that is cut off while it
 * sends does not hear the answer.
 */
async function readBody(request: IncomingMessage): Promise<string | null> {
  if (Number(request.headers['content-length'] ?? 0) > DRAINED_MAX_BYTES) return null;
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    bytes += chunk.byteLength;
    if (bytes > DRAINED_MAX_BYTES) break;
    if (bytes <= BODY_MAX_BYTES) chunks.push(chunk);
  }
  // A file's last line break is no part of the JWS.
  return bytes > BODY_MAX_BYTES ? null : Buffer.concat(chunks).toString('utf8').trim();
}

function send(response: ServerResponse, { status, body, headers }: Answer): void {
  if (response.headersSent || response.destroyed) return;
  const text = `${JSON.stringify(body)}\n`;
  response.writeHead(status, {
    'Content-Type': 'application/json',
    'Content-Length': Buffer.byteLength(text),
    Connection: 'close',
    ...headers,
  });
  response.end(text);
}
