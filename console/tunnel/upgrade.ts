import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import type { FastifyBaseLogger } from 'fastify';
import { WebSocketServer } from 'ws';
import { TUNNEL_FRAME_MAX_BYTES } from '../../schemas/tunnel-frame.ts';
import type { Callers } from '../callers.ts';
import { newRequestId, plainHeaders, writeRefusal } from '../http-answers.ts';
import { RequestRefused } from '../refusal.ts';
import { TUNNEL_PATH } from './address.ts';
import type { TunnelGateway } from './gateway.ts';

const SUBPROTOCOL = 'cloudevents.json';

/** Node's HTTP server asks this: other requests with an Upgrade header are answered as if they had none. */
export function isTunnelUpgrade(request: IncomingMessage): boolean {
  const path = request.url?.split('?')[0];
  return path === TUNNEL_PATH && request.headers.upgrade?.toLowerCase() === 'websocket';
}

export interface TunnelUpgrades {
  /** Ends upgrades that are not done. Those that come later are answered 503. */
  close(): void;
}

/** `GET /edge/tunnel` with an upgrade (contract, section 8): who asks is known before the protocol changes. */
export function acceptTunnelUpgrades(
  server: Server,
  parts: {
    readonly callers: Pick<Callers, 'tunnel'>;
    readonly gateway: Pick<TunnelGateway, 'hasPlace' | 'open'>;
    readonly log: FastifyBaseLogger;
    readonly now: () => Date;
    /** Who calls, also through a proxy. */
    readonly addressOf: (request: IncomingMessage) => string;
  },
): TunnelUpgrades {
  const { callers, gateway, log, now, addressOf } = parts;
  const sockets = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    // Answered by the gateway, as far as there is room for the answer.
    autoPong: false,
    maxPayload: TUNNEL_FRAME_MAX_BYTES,
    handleProtocols: () => SUBPROTOCOL,
  });
  const asking = new Set<Duplex>();
  let closing = false;

  const expectWelcome = async (request: IncomingMessage) => {
    if (closing) {
      throw new RequestRefused(503, 'closing', 'this console is closing; try again in a minute', {
        'retry-after': '60',
      });
    }
    const agent = await callers.tunnel({
      method: request.method ?? 'GET',
      url: request.url ?? TUNNEL_PATH,
      ip: addressOf(request),
      headers: request.headers,
    });
    const offered = request.headers['sec-websocket-protocol']?.split(',').map((name) => name.trim()) ?? [];
    if (!offered.includes(SUBPROTOCOL)) {
      const message = `expected Sec-WebSocket-Protocol: ${SUBPROTOCOL}, found ${offered.join(', ').slice(0, 200) || 'none'}`;
      throw new RequestRefused(400, 'subprotocol_missing', message);
    }
    if (!gateway.hasPlace()) {
      throw new RequestRefused(503, 'full', 'expected fewer agents on this console; try again in a minute', {
        'retry-after': '60',
      });
    }
    return agent;
  };

  const upgrade = async (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    try {
      const agent = await expectWelcome(request);
      if (closing) return socket.destroy();
      sockets.handleUpgrade(request, socket, head, (webSocket) => {
        gateway.open(webSocket, agent, addressOf(request));
      });
    } catch (error) {
      if (error instanceof RequestRefused) {
        log.info({ code: error.code, status: error.status }, error.message);
        return refuse(socket, error, now());
      }
      const unwritten = writeRefusal(error);
      if (unwritten !== null) {
        log.warn({ err: error }, 'a write had to be given up');
        return refuse(socket, unwritten, now());
      }
      log.error({ err: error }, 'an upgrade failed');
      return refuse(socket, new RequestRefused(500, 'internal', 'something went wrong here'), now());
    }
  };

  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    asking.add(socket);
    // ws listens for errors of its own from the moment the protocol has changed.
    socket.on('error', () => socket.destroy());
    socket.once('close', () => asking.delete(socket));
    void upgrade(request, socket, head).finally(() => asking.delete(socket));
  });

  return {
    close() {
      closing = true;
      for (const socket of asking) socket.destroy();
    },
  };
}

const STATUS_TEXT: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  429: 'Too Many Requests',
  500: 'Internal Server Error',
  503: 'Service Unavailable',
};

/** The same answer as any other refused request gets, written by hand: the socket is no longer the HTTP server's. */
function refuse(socket: Duplex, { status, code, message, headers }: RequestRefused, at: Date): void {
  const body = Buffer.from(JSON.stringify({ error: { code, message } }), 'utf8');
  const lines = Object.entries({
    ...plainHeaders(newRequestId()),
    ...headers,
    date: at.toUTCString(),
    'content-type': 'application/json; charset=utf-8',
    'content-length': String(body.byteLength),
    connection: 'close',
  }).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.once('finish', () => socket.destroy());
  socket.end(
    Buffer.concat([
      Buffer.from(
        `HTTP/1.1 ${status} ${STATUS_TEXT[status] ?? 'Refused'}\r\n${lines.join('')}\r\n`,
        'latin1',
      ),
      body,
    ]),
  );
}
