import {
  createServer as createPlain,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import { createServer as createSecure } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';

export interface LoggedRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  /** Of the answer. */
  status: number;
}

export type Handler = (request: IncomingMessage, response: ServerResponse) => void;

export interface LoopbackServer {
  /** `http://127.0.0.1:<port>` or, with TLS, `https://localhost:<port>`. */
  readonly origin: string;
  readonly port: number;
  readonly requests: LoggedRequest[];
  /** TCP connections accepted so far. */
  connections(): number;
  /** What to answer on a path (without query); `*` takes the rest. Replaces what was there. */
  on(path: string, handler: Handler): void;
  /** Cuts every open connection, so that the next request meets a stale one. */
  cutConnections(): void;
  [Symbol.asyncDispose](): Promise<void>;
}

/** A real server on loopback, port 0, which keeps a log of requests. Ends with `await using`. */
export async function startHttpServer(tls?: { key: string; cert: string }): Promise<LoopbackServer> {
  const handlers = new Map<string, Handler>();
  const requests: LoggedRequest[] = [];
  const sockets = new Set<Socket>();
  let connections = 0;
  const answer = (request: IncomingMessage, response: ServerResponse) => {
    const url = request.url as string;
    const logged = { method: request.method as string, path: url, headers: request.headers, status: 0 };
    requests.push(logged);
    response.once('close', () => {
      logged.status = response.statusCode;
    });
    const handler = handlers.get(url.split('?')[0] as string) ?? handlers.get('*');
    if (handler === undefined) response.writeHead(404).end('nothing here');
    else handler(request, response);
  };
  const server: Server = tls === undefined ? createPlain(answer) : createSecure(tls, answer);
  server.on('connection', (socket: Socket) => {
    connections += 1;
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const cutConnections = () => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    origin: tls === undefined ? `http://127.0.0.1:${port}` : `https://localhost:${port}`,
    port,
    requests,
    connections: () => connections,
    on: (path, handler) => void handlers.set(path, handler),
    cutConnections,
    async [Symbol.asyncDispose]() {
      cutConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Answers with a text or bytes. */
export function answering(
  status: number,
  body: string | Uint8Array = '',
  headers: Record<string, string> = {},
): Handler {
  return (_request, response) => {
    response.writeHead(status, { 'content-length': String(Buffer.byteLength(body)), ...headers }).end(body);
  };
}

export function redirecting(to: string, status = 302): Handler {
  return answering(status, 'elsewhere', { location: to });
}

/** A file with an ETag: conditional GET, and Range with If-Range, as object stores do. */
export function serving(content: Uint8Array, etag: string | null = '"v1"'): Handler {
  return (request, response) => {
    const tag: Record<string, string> = etag === null ? {} : { etag };
    if (etag !== null && request.headers['if-none-match'] === etag) {
      response.writeHead(304, tag).end();
      return;
    }
    const range = /^bytes=(\d+)-$/.exec(request.headers.range ?? '');
    const condition = request.headers['if-range'];
    if (range === null || (condition !== undefined && condition !== etag)) {
      response.writeHead(200, {
        ...tag,
        'content-length': String(content.byteLength),
        'accept-ranges': 'bytes',
      });
      response.end(content);
      return;
    }
    const from = Number(range[1]);
    if (from >= content.byteLength) {
      response.writeHead(416, { 'content-range': `bytes */${content.byteLength}` }).end();
      return;
    }
    const rest = content.subarray(from);
    response.writeHead(206, {
      ...tag,
      'content-length': String(rest.byteLength),
      'content-range': `bytes ${from}-${content.byteLength - 1}/${content.byteLength}`,
    });
    response.end(rest);
  };
}

/** Sends the first bytes of a longer answer and cuts the connection. */
export function breakingOff(content: Uint8Array, after: number, etag: string | null = '"v1"'): Handler {
  return (_request, response) => {
    const tag: Record<string, string> = etag === null ? {} : { etag };
    response.writeHead(200, { ...tag, 'content-length': String(content.byteLength) });
    response.write(content.subarray(0, after), () => setTimeout(() => response.destroy(), 20));
  };
}

/** One small piece at a time, without end. `everyMs` 0 sends as fast as it is read. */
export function endless(pieceBytes: number, everyMs: number): Handler {
  return (_request, response) => {
    const piece = Buffer.alloc(pieceBytes, 'a');
    response.writeHead(200);
    const send = () => {
      if (response.destroyed) return;
      if (response.write(piece)) setTimeout(send, everyMs);
      else response.once('drain', () => setTimeout(send, everyMs));
    };
    send();
  };
}
