import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { type ClientOptions, WebSocket } from 'ws';
import type { TunnelFrame } from '../../schemas/tunnel-frame.ts';
import { type CommandPayload, signCommand } from '../../trust/ceremony/command.ts';
import { newKey } from '../../trust/ceremony/new-key.ts';
import { signRequestToken } from '../../trust/request-token.ts';
import type { EnrolledAgent } from './running-console.ts';

export interface TunnelClient {
  readonly socket: WebSocket;
  readonly received: TunnelFrame[];
  send(type: string, data: unknown, id?: string): string;
  /** The first frame of the type (and for which `wanted` holds) that has not been taken before. */
  next(type: string, wanted?: (frame: TunnelFrame) => boolean): Promise<TunnelFrame>;
  readonly closed: Promise<{ code: number; reason: string }>;
  end(): Promise<void>;
}

const DEADLINE_MS = 10_000;

export function tunnelUrl(url: string): string {
  return `${url.replace(/^http/, 'ws')}/edge/tunnel`;
}

export async function tunnelToken(agent: EnrolledAgent, url: string): Promise<string> {
  return signRequestToken({ ...agent, method: 'GET', url, now: new Date() });
}

/** A WebSocket as an agent would open it; nothing has been said yet. Rejects with the status when the upgrade is refused. */
export async function openSocket(
  agent: EnrolledAgent,
  url: string,
  change: {
    token?: string;
    protocols?: string[];
    options?: ClientOptions;
    onMessage?: (data: Buffer) => void;
  } = {},
): Promise<WebSocket> {
  const token = change.token ?? (await tunnelToken(agent, `${url}/edge/tunnel`));
  const socket = new WebSocket(tunnelUrl(url), change.protocols ?? ['cloudevents.json'], {
    perMessageDeflate: false,
    headers: { authorization: `Bearer ${token}` },
    ...change.options,
  });
  socket.on('error', () => {});
  // Before it is open: the console's hello comes in one packet with the answer to the upgrade.
  if (change.onMessage !== undefined) socket.on('message', change.onMessage);
  await new Promise<void>((resolve, reject) => {
    socket.once('open', resolve);
    socket.once('unexpected-response', (_request, response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (part: string) => {
        body += part;
      });
      response.on('end', () => reject(new Refused(response.statusCode ?? 0, body)));
      response.on('error', () => reject(new Refused(response.statusCode ?? 0, body)));
    });
    socket.once('error', reject);
  });
  return socket;
}

export class Refused extends Error {
  readonly status: number;
  readonly body: string;
  constructor(status: number, body: string) {
    super(`${status} ${body}`);
    this.status = status;
    this.body = body;
  }
}

export function hello(agent: EnrolledAgent, change: Record<string, unknown> = {}) {
  return {
    agent_id: agent.issuer,
    agent_version: '0.1.0',
    boot_id: 'boot',
    log_id: 'log',
    next_seq: 1,
    active_revision: null,
    ...change,
  };
}

export function frame(agent: EnrolledAgent, type: string, data: unknown, id: string): string {
  const source = `/agents/${agent.issuer}`;
  return JSON.stringify({ specversion: '1.0', type, id, source, datacontenttype: 'application/json', data });
}

/** An agent's side of the contract, spoken by hand. */
export async function connect(
  agent: EnrolledAgent,
  url: string,
  change: { hello?: Record<string, unknown>; options?: ClientOptions } = {},
): Promise<TunnelClient> {
  const received: TunnelFrame[] = [];
  const taken = new Set<TunnelFrame>();
  const listeners = new Set<() => void>();
  const socket = await openSocket(agent, url, {
    ...(change.options === undefined ? {} : { options: change.options }),
    onMessage(data) {
      received.push(JSON.parse(data.toString('utf8')) as TunnelFrame);
      for (const listener of listeners) listener();
    },
  });
  const closed = once(socket, 'close').then(([code, reason]) => ({
    code: code as number,
    reason: String(reason),
  }));
  const client: TunnelClient = {
    socket,
    received,
    closed,
    send(type, data, id = randomUUID()) {
      socket.send(frame(agent, type, data, id));
      return id;
    },
    async next(type, wanted = () => true) {
      const find = () => received.find((each) => each.type === type && !taken.has(each) && wanted(each));
      const { promise, resolve, reject } = Promise.withResolvers<TunnelFrame>();
      const look = () => {
        const found = find();
        if (found !== undefined) resolve(found);
      };
      const timer = setTimeout(() => {
        reject(new Error(`expected a frame ${type}, found ${received.map((each) => each.type).join(', ')}`));
      }, DEADLINE_MS);
      listeners.add(look);
      look();
      try {
        const found = await promise;
        taken.add(found);
        return found;
      } finally {
        clearTimeout(timer);
        listeners.delete(look);
      }
    },
    async end() {
      socket.terminate();
      await closed;
    },
  };
  client.send('edgeflows.hello', hello(agent, change.hello));
  await client.next('edgeflows.hello');
  return client;
}

const triggerKey = newKey();

/** A command as whoever holds a trigger key would sign it. */
export async function command(
  agent: EnrolledAgent,
  change: Partial<CommandPayload> = {},
): Promise<{ id: string; jws: string }> {
  const id = randomUUID();
  const payload = {
    command_id: id,
    action: 'run',
    tenant: agent.answer.tenant,
    agent_id: agent.issuer,
    issued: new Date().toISOString(),
    expires: new Date(Date.now() + 3_600_000).toISOString(),
    run_id: randomUUID(),
    flow: 'invoice-bot',
    ...change,
  } as CommandPayload;
  return { id: payload.command_id, jws: await signCommand(payload, triggerKey) };
}
