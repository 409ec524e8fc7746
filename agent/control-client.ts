import { request } from 'node:http';
import { dirname } from 'node:path';
import { z } from 'zod';
import { CONTROL_KEY_HEADER, readControlKey } from './control-key.ts';
import { OperationError, type OperationErrorCode } from './operation-error.ts';
import { type AgentOperations, OPERATIONS, type OperationName } from './operations.ts';
import { expectOwnFolder } from './own-folder.ts';

const ANSWER_MAX_BYTES = 256 * 1024 * 1024;
const PING_TIMEOUT_MS = 2_000;

export interface ControlPeer {
  readonly pid: number;
  readonly verb: string;
  readonly tenant: string;
}

const Peer = z.object({ pid: z.int(), verb: z.string(), tenant: z.string() });
const Answer = z.union([
  z.object({ result: z.unknown() }),
  z.object({
    error: z.object({
      code: z.string(),
      message: z.string(),
      exit_code: z.int(),
      details: z.unknown().optional(),
    }),
  }),
]);

/** Who serves the socket, or null when nobody does. */
export async function controlPeer(socket: string, signal: AbortSignal): Promise<ControlPeer | null> {
  if (process.platform !== 'win32') await expectOwnFolder(dirname(socket));
  try {
    const text = await call(
      socket,
      'GET',
      '/v1/ping',
      undefined,
      AbortSignal.any([signal, AbortSignal.timeout(PING_TIMEOUT_MS)]),
    );
    const parsed = Peer.safeParse(JSON.parse(text));
    return parsed.success ? parsed.data : null;
  } catch {
    signal.throwIfAborted();
    return null;
  }
}

/** The operations of the process behind the socket. */
export function createControlClient(socket: string): AgentOperations {
  const entries = (Object.keys(OPERATIONS) as OperationName[]).map((name) => [
    name,
    async (input: unknown, signal: AbortSignal) => {
      const parsed = Answer.parse(
        JSON.parse(await call(socket, 'POST', `/v1/${name}`, JSON.stringify(input), signal)),
      );
      if ('error' in parsed) {
        const { code, message, exit_code: exitCode, details } = parsed.error;
        throw new OperationError(code as OperationErrorCode, message, { exitCode, details });
      }
      return OPERATIONS[name].output.parse(parsed.result);
    },
  ]);
  return Object.fromEntries(entries) as AgentOperations;
}

async function call(
  socket: string,
  method: string,
  path: string,
  body: string | undefined,
  signal: AbortSignal,
): Promise<string> {
  const key = await readControlKey(socket);
  const headers = key === null ? {} : { [CONTROL_KEY_HEADER]: key };
  return new Promise((resolve, reject) => {
    const outgoing = request({ socketPath: socket, method, path, headers, signal }, (response) => {
      const chunks: Buffer[] = [];
      let size = 0;
      response.on('data', (chunk: Buffer) => {
        size += chunk.length;
        if (size > ANSWER_MAX_BYTES)
          outgoing.destroy(new Error(`expected an answer of at most ${ANSWER_MAX_BYTES} bytes`));
        chunks.push(chunk);
      });
      response.on('end', () => resolve(Buffer.concat(chunks).toString('utf8')));
      response.on('error', reject);
    });
    outgoing.on('error', (error) => {
      if (signal.aborted) return reject(signal.reason as Error);
      const message = `the agent behind ${socket} went away: ${error.message}`;
      reject(new OperationError('unreachable', message, { exitCode: 5, cause: error }));
    });
    outgoing.end(body);
  });
}
