import { createHash } from 'node:crypto';
import { createServer as createPlain, type IncomingMessage } from 'node:http';
import { createServer as createSecure } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';

export interface SentFrame {
  readonly type: string;
  readonly id: string;
  readonly source: string;
  readonly time: string;
  readonly datacontenttype: string;
  readonly data: never;
}

/** One connection of an agent, as the console sees it. */
export interface AgentConnection {
  readonly request: IncomingMessage;
  readonly socket: WebSocket;
  /** Text frames in the order they came. */
  readonly frames: SentFrame[];
  pings(): number;
  /** Frames of one type. */
  of(type: string): SentFrame[];
  send(type: string, data: unknown, id?: string): void;
  /** Null while it is open. */
  closed(): { code: number; reason: string } | null;
  /** No byte more is read from it, as by a console that hangs. */
  stopReading(): void;
  readOn(): void;
}

export interface TunnelConsole {
  /** `http://127.0.0.1:<port>/edge/tunnel`, or https to localhost. */
  readonly url: URL;
  readonly port: number;
  readonly connections: AgentConnection[];
  /** Upgrades asked for, refused ones too. */
  asked(): number;
  /** From now on upgrades are answered by this; null takes them again. */
  refuse(answer: ((request: IncomingMessage, socket: Duplex) => void) | null): void;
  /** Whether it says hello by itself, and with which heartbeat. */
  greet(heartbeatMs: number | null): void;
  cut(): void;
  [Symbol.asyncDispose](): Promise<void>;
}

/** A console on loopback with a real WebSocket server, which does what a test wants. */
export async function startTunnelConsole(tls?: { key: string; cert: string }): Promise<TunnelConsole> {
  const connections: AgentConnection[] = [];
  const sockets = new Set<Socket>();
  const gateway = new WebSocketServer({
    noServer: true,
    perMessageDeflate: true,
    handleProtocols: (offered) => (offered.has('cloudevents.json') ? 'cloudevents.json' : false),
  });
  let refuse: ((request: IncomingMessage, socket: Duplex) => void) | null = null;
  let heartbeatMs: number | null = 30_000;
  let asked = 0;
  const server = tls === undefined ? createPlain() : createSecure(tls);
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.once('close', () => sockets.delete(socket));
  });
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    asked += 1;
    if (refuse !== null) {
      refuse(request, socket);
      return;
    }
    gateway.handleUpgrade(request, socket, head, (opened) => {
      const connection = watched(request, opened);
      connections.push(connection);
      if (heartbeatMs !== null) connection.send('edgeflows.hello', consoleHello(heartbeatMs));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const cut = () => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    url: new URL(`${tls === undefined ? 'http://127.0.0.1' : 'https://localhost'}:${port}/edge/tunnel`),
    port,
    connections,
    asked: () => asked,
    refuse: (answer) => {
      refuse = answer;
    },
    greet: (everyMs) => {
      heartbeatMs = everyMs;
    },
    cut,
    async [Symbol.asyncDispose]() {
      cut();
      gateway.close();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

export function consoleHello(heartbeatMs = 30_000) {
  return { session: 's-1', heartbeat_ms: heartbeatMs, time: new Date().toISOString() };
}

/** Raw HTTP in answer to an upgrade. */
export function answerUpgrade(status: string, headers: Record<string, string> = {}) {
  return (_request: IncomingMessage, socket: Duplex): void => {
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    socket.end(`HTTP/1.1 ${status}\r\n${lines.join('')}content-length: 0\r\nconnection: close\r\n\r\n`);
  };
}

/** The upgrade done right but for `change` (an empty value leaves a header out), then whatever a liar does. */
export function upgradeByHand(then: (socket: Duplex) => void, change: Record<string, string> = {}) {
  return (request: IncomingMessage, socket: Duplex): void => {
    const key = `${request.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`;
    const headers = {
      upgrade: 'websocket',
      connection: 'Upgrade',
      'sec-websocket-accept': createHash('sha1').update(key).digest('base64'),
      'sec-websocket-protocol': 'cloudevents.json',
      ...change,
    };
    const lines = Object.entries(headers).map(([name, value]) =>
      value === '' ? '' : `${name}: ${value}\r\n`,
    );
    socket.write(`HTTP/1.1 101 Switching Protocols\r\n${lines.join('')}\r\n`, () => then(socket));
  };
}

function watched(request: IncomingMessage, socket: WebSocket): AgentConnection {
  const frames: SentFrame[] = [];
  let pings = 0;
  let closed: { code: number; reason: string } | null = null;
  let sent = 0;
  socket.on('message', (data) => {
    frames.push(JSON.parse((data as Buffer).toString('utf8')) as SentFrame);
  });
  socket.on('ping', () => {
    pings += 1;
  });
  socket.on('error', () => {});
  socket.on('close', (code, reason) => {
    closed = { code, reason: reason.toString('utf8') };
  });
  return {
    request,
    socket,
    frames,
    pings: () => pings,
    of: (type) => frames.filter((frame) => frame.type === type),
    send(type, data, id = `frame-${(sent += 1)}`) {
      const datacontenttype = type === 'edgeflows.command' ? 'application/jose' : 'application/json';
      socket.send(
        JSON.stringify({
          specversion: '1.0',
          type,
          id,
          source: '/console',
          time: new Date().toISOString(),
          datacontenttype,
          data,
        }),
      );
    },
    closed: () => closed,
    stopReading: () => socket.pause(),
    readOn: () => socket.resume(),
  };
}
