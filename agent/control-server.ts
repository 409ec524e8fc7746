import { chmod, mkdir, rm, rmdir } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { CONTROL_KEY_HEADER, knowsKey, removeControlKey, writeControlKey } from './control-key.ts';
import { toOperationError } from './explain-error.ts';
import { OperationError } from './operation-error.ts';
import { type AgentOperations, OPERATIONS, type OperationName } from './operations.ts';
import { expectOwnFolder } from './own-folder.ts';

const BODY_MAX_BYTES = 8 * 1024 * 1024;

/** How long a daemon that ends lets operations under way finish; runs are waited for elsewhere. */
const DAEMON_GRACE_MS = 2_000;

export interface ControlServer {
  close(): Promise<void>;
}

/**
 * Serves the operations as `POST /v1/<operation>` on a Unix socket (a named pipe on Windows). Whoever holds the state lock
 * serves it, so there is at most one. Only the owner may open it: the socket is 0600 in a 0700 folder,
 * and who calls an operation must know its key (`control-key.ts`).
 */
export async function serveControl(
  socket: string,
  operations: AgentOperations,
  about: { verb: string; tenant: string },
  graceMs = DAEMON_GRACE_MS,
): Promise<ControlServer> {
  if (process.platform !== 'win32') {
    await mkdir(dirname(socket), { recursive: true, mode: 0o700 });
    await expectOwnFolder(dirname(socket));
    await rm(socket, { force: true });
  }
  const key = await writeControlKey(socket);
  const atWork = new Set<Promise<void>>();
  const server = createServer((request, response) => {
    const work = answer(request, response, { operations, about, key }).catch(() => void response.destroy());
    atWork.add(work);
    void work.finally(() => atWork.delete(work));
  });
  server.requestTimeout = 0;
  const before = process.platform === 'win32' ? null : process.umask(0o177);
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(socket, resolve);
    });
  } finally {
    if (before !== null) process.umask(before);
  }
  if (process.platform !== 'win32') await chmod(socket, 0o600);
  server.unref();
  return {
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeIdleConnections();
      // whoever was let in gets an answer
      await Promise.race([Promise.allSettled(atWork), sleep(graceMs, undefined, { ref: false })]);
      server.closeAllConnections();
      await closed;
      if (process.platform === 'win32') return;
      await removeControlKey(socket);
      await rm(socket, { force: true });
      // only a folder made for sockets is ever empty
      await rmdir(dirname(socket)).catch(() => undefined);
    },
  };
}

interface Served {
  readonly operations: AgentOperations;
  readonly about: { verb: string; tenant: string };
  readonly key: string | null;
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  { operations, about, key }: Served,
): Promise<void> {
  const name = /^\/v1\/([a-z]+)$/.exec(request.url ?? '')?.[1];
  if (name === 'ping') return send(response, 200, { pid: process.pid, ...about });
  if (request.method !== 'POST' || name === undefined || !Object.hasOwn(OPERATIONS, name)) {
    const message = `expected POST /v1/<operation>, found ${request.method} ${request.url}`;
    return send(response, 404, { error: { code: 'usage', message, exit_code: 2 } });
  }
  if (!knowsKey(key, request.headers[CONTROL_KEY_HEADER])) {
    const message = 'expected the key of the control socket, which is beside it, found another or none';
    return send(response, 401, { error: { code: 'usage', message, exit_code: 2 } });
  }
  const operation = OPERATIONS[name as OperationName];
  const body = await readBody(request);
  const parsed = operation.input.safeParse(body);
  if (!parsed.success) {
    return send(response, 400, { error: { code: 'usage', message: parsed.error.message, exit_code: 2 } });
  }
  const gone = new AbortController();
  response.once('close', () => gone.abort(new Error('whoever asked went away')));
  try {
    const call = operations[name as OperationName] as (
      input: unknown,
      signal: AbortSignal,
    ) => Promise<unknown>;
    send(response, 200, { result: await call(parsed.data, gone.signal) });
  } catch (thrown) {
    const error = toOperationError(thrown);
    if (error instanceof OperationError) {
      const { code, message, exitCode: exit_code, details } = error;
      return send(response, 409, { error: { code, message, exit_code, details } });
    }
    const message = error instanceof Error ? error.message : String(error);
    send(response, 500, { error: { code: 'internal', message, exit_code: 1 } });
  }
}

async function readBody(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > BODY_MAX_BYTES) throw new Error(`expected at most ${BODY_MAX_BYTES} bytes`);
    chunks.push(chunk);
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8') || '{}');
  } catch {
    return null;
  }
}

function send(response: ServerResponse, status: number, body: unknown): void {
  if (response.destroyed) return;
  const text = JSON.stringify(body);
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(text),
  });
  response.end(text);
}
