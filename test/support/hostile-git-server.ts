import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import { type AddressInfo, createServer as createTcpServer, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { GitServer } from './git-server.ts';

/** What a request of git is about. */
export type Step = 'capabilities' | 'branch' | 'tags' | 'pack' | 'other';

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/** One request that reached the liar. */
export interface Exchange {
  readonly step: Step;
  readonly method: string;
  /** With the query. */
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  /** The pkt-lines that were sent. */
  readonly question: string;
  /** How many of this step came before it in this lie. */
  readonly nth: number;
  readonly commits: Commits;
  /** What git itself says to it. */
  honest(): Promise<Answer>;
  /** Answers with what is given, the rest as for a good answer of this step. */
  answer(answer: Partial<Answer>): void;
  /** Bytes on the wire as they are, whatever they look like. */
  raw(bytes: string | Uint8Array): Socket;
  /** Sends pieces for as long as somebody reads, `everyMs` apart; 0 is as fast as they are read. */
  endless(head: string, piece: string | Uint8Array, everyMs?: number): void;
}

/** What the honest branch is at, and what the agent took last. */
export interface Commits {
  readonly tip: string;
  readonly previous: string;
}

/** False passes the request on to git. */
export interface Tell {
  (exchange: Exchange): boolean | Promise<boolean>;
  /** Where it lies; unknown when absent. */
  readonly steps?: readonly Step[];
}

export interface Lie {
  /** Completes "the server …". */
  readonly what: string;
  /** How the attempt ends: the exit code, and the code of the closed list (schemas/reasons.ts) or null when nothing was harmed. */
  readonly exit: 0 | 3 | 4 | 5;
  readonly code: string | null;
  /** A part of the sentence that a person reads. */
  readonly says?: RegExp;
  readonly tell?: Tell;
  /** Asked for every connection before TLS and HTTP are: true when it was taken. */
  readonly connect?: (socket: Socket) => boolean;
}

export interface HostileGitServer {
  readonly origin: string;
  readonly port: number;
  /** All requests since the start, honest ones too. */
  readonly log: readonly Pick<Exchange, 'step' | 'method' | 'path' | 'headers' | 'question'>[];
  url(name: string): string;
  /** From now on; null is honest. */
  lie(lie: Lie | null, commits?: Commits): void;
  openConnections(): number;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Turns a connection into one that speaks TLS, or ends it. */
export type Secure = (socket: Socket) => Duplex | null;

/** A server on loopback, port 0, in front of a real git server: honest until it is told to lie. */
export async function startHostileGitServer(
  git: GitServer,
  options: { secure?: Secure } = {},
): Promise<HostileGitServer> {
  let current: { lie: Lie; commits: Commits; counts: Map<Step, number> } | null = null;
  const sockets = new Set<Socket>();
  const log: Exchange[] = [];

  const listener = (incoming: IncomingMessage, response: ServerResponse) => {
    const chunks: Buffer[] = [];
    incoming.on('error', () => {});
    response.on('error', () => {});
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
    incoming.on('end', () => {
      const question = Buffer.concat(chunks).toString('latin1');
      const step = stepOf(incoming.url ?? '', question);
      const nth = current?.counts.get(step) ?? 0;
      current?.counts.set(step, nth + 1);
      const commits = current?.commits ?? { tip: '', previous: '' };
      const exchange = exchangeOf({ git, incoming, response, question, step, nth, commits });
      log.push(exchange);
      void answerTo(exchange, current?.lie ?? null);
    });
  };
  const http = createServer({ keepAliveTimeout: 60_000 }, listener);
  http.on('clientError', (_error, socket) => socket.destroy());
  const server = createTcpServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.once('close', () => sockets.delete(socket));
    if (current?.lie.connect?.(socket) === true) return;
    const stream = options.secure === undefined ? socket : options.secure(socket);
    stream?.on('error', () => {});
    if (stream !== null) http.emit('connection', stream);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const origin = options.secure === undefined ? `http://127.0.0.1:${port}` : `https://localhost:${port}`;

  return {
    origin,
    port,
    log,
    url: (name) => `${origin}/${name}.git`,
    lie(lie, commits = { tip: '', previous: '' }) {
      current = lie === null ? null : { lie, commits, counts: new Map() };
    },
    openConnections: () => sockets.size,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function answerTo(exchange: Exchange, lie: Lie | null): Promise<void> {
  if (lie?.tell !== undefined && (await lie.tell(exchange))) return;
  exchange.answer(await exchange.honest());
}

function stepOf(path: string, question: string): Step {
  if (path.includes('/info/refs')) return 'capabilities';
  if (question.includes('command=fetch')) return 'pack';
  if (question.includes('ref-prefix refs/tags/')) return 'tags';
  return question.includes('command=ls-refs') ? 'branch' : 'other';
}

interface Parts {
  readonly git: GitServer;
  readonly incoming: IncomingMessage;
  readonly response: ServerResponse;
  readonly question: string;
  readonly step: Step;
  readonly nth: number;
  readonly commits: Commits;
}

function exchangeOf({ git, incoming, response, question, step, nth, commits }: Parts): Exchange {
  const path = incoming.url as string;
  const raw = (bytes: string | Uint8Array) => {
    const { socket } = incoming;
    socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes);
    return socket;
  };
  return {
    step,
    method: incoming.method as string,
    path,
    headers: incoming.headers,
    question,
    nth,
    commits,
    honest: () => ask(git, incoming, question),
    answer({ status = 200, headers = {}, body = Buffer.alloc(0) }) {
      const type = step === 'capabilities' ? 'advertisement' : 'result';
      const usual = { 'content-type': `application/x-git-upload-pack-${type}` };
      response.writeHead(status, { ...usual, 'content-length': String(body.length), ...headers }).end(body);
    },
    raw,
    endless(head, piece, everyMs = 0) {
      const socket = raw(head);
      const bytes = typeof piece === 'string' ? Buffer.from(piece, 'latin1') : piece;
      const send = () => {
        if (socket.destroyed) return;
        const drained = socket.write(bytes);
        if (everyMs > 0) setTimeout(send, everyMs);
        else if (drained) setImmediate(send);
        else socket.once('drain', send);
      };
      send();
    },
  };
}

/** git's whole answer, of the real server behind. */
function ask(git: GitServer, incoming: IncomingMessage, question: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const { host: _host, connection: _connection, ...headers } = incoming.headers;
    const options = { method: incoming.method, headers, agent: false } as const;
    const outgoing = request(`${git.origin}${incoming.url}`, options, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const type = response.headers['content-type'] ?? 'text/plain';
        const body = Buffer.concat(chunks);
        resolve({ status: response.statusCode as number, headers: { 'content-type': type }, body });
      });
    });
    outgoing.on('error', reject);
    outgoing.end(question, 'latin1');
  });
}
