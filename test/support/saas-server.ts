import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';

export interface SaasCall {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  /** The parsed JSON body. */
  readonly body: never;
  /** Milliseconds of the process's monotonic time. */
  readonly at: number;
}

/** What to answer: a status with an optional JSON or text body, no answer at all, or a cut connection. */
export type SaasAnswer =
  | { status: number; body?: unknown; headers?: Record<string, string> }
  | 'hang'
  | 'cut';

export interface SaasServer {
  readonly origin: string;
  readonly calls: SaasCall[];
  /** The calls to one path, oldest first. */
  to(path: string): SaasCall[];
  /** From now on: what a path answers; null goes back to taking everything. A list is used up first, then it takes. */
  answer(path: string, answer: SaasAnswer | SaasAnswer[] | ((call: SaasCall) => SaasAnswer) | null): void;
  /** Resolves when as many calls to the path have come. */
  until(path: string, count: number, withinMs?: number): Promise<SaasCall[]>;
  /** What `/edge/events` has taken of a log, in order, without repetitions. */
  events(logId: string): { seq: number; reason: string; message: string; prev: string }[];
  /** As if the SaaS had lost the events from `seq` on. */
  forgetEvents(logId: string, from: number): void;
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * A real loopback server that records the agent's `/edge/*` calls and answers as the contract's section 7 says, or as a test
 * wants. It believes everybody: the console has the true checks.
 */
export async function startSaasServer(port = 0): Promise<SaasServer> {
  const calls: SaasCall[] = [];
  const answers = new Map<string, SaasAnswer | SaasAnswer[] | ((call: SaasCall) => SaasAnswer)>();
  const logs = new Map<string, Map<number, never>>();
  const sockets = new Set<Socket>();
  let changed = Promise.withResolvers<void>();

  const take = (call: SaasCall): SaasAnswer => {
    if (call.path !== '/edge/events') return { status: call.path === '/edge/status' ? 204 : 201, body: {} };
    const { log_id, events } = call.body as { log_id: string; events: { seq: number }[] };
    const log = logs.get(log_id) ?? new Map<number, never>();
    logs.set(log_id, log);
    for (const event of events) if (event.seq === log.size + 1) log.set(event.seq, event as never);
    return { status: 200, body: { next_seq: log.size + 1 } };
  };
  const choose = (call: SaasCall): SaasAnswer => {
    const programmed = answers.get(call.path);
    if (Array.isArray(programmed)) return programmed.shift() ?? take(call);
    if (typeof programmed === 'function') return programmed(call);
    return programmed ?? take(call);
  };
  const send = (response: ServerResponse, answer: SaasAnswer) => {
    if (answer === 'hang') return;
    if (answer === 'cut') {
      response.destroy();
      return;
    }
    const text =
      answer.body === undefined
        ? ''
        : typeof answer.body === 'string'
          ? answer.body
          : JSON.stringify(answer.body);
    response.writeHead(answer.status, { 'content-type': 'application/json', ...answer.headers });
    response.end(answer.status === 204 ? undefined : text);
  };

  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const text = Buffer.concat(chunks).toString('utf8');
      const call: SaasCall = {
        path: (request.url ?? '').split('?')[0] as string,
        headers: request.headers,
        body: (text === '' ? null : JSON.parse(text)) as never,
        at: performance.now(),
      };
      calls.push(call);
      send(response, choose(call));
      changed.resolve();
      changed = Promise.withResolvers<void>();
    });
  });
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  const to = (path: string) => calls.filter((call) => call.path === path);

  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    calls,
    to,
    answer(path, answer) {
      if (answer === null) answers.delete(path);
      else answers.set(path, answer);
    },
    async until(path, count, withinMs = 30_000) {
      const deadline = performance.now() + withinMs;
      while (to(path).length < count) {
        const leftMs = deadline - performance.now();
        if (leftMs <= 0) throw new Error(`expected ${count} calls to ${path}, found ${to(path).length}`);
        const late = Promise.withResolvers<void>();
        const timer = setTimeout(late.resolve, leftMs);
        await Promise.race([changed.promise, late.promise]);
        clearTimeout(timer);
      }
      return to(path);
    },
    events: (logId) => [...(logs.get(logId)?.values() ?? [])],
    forgetEvents(logId, from) {
      const log = logs.get(logId);
      for (const seq of log?.keys() ?? []) if (seq >= from) log?.delete(seq);
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
