import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { WebSocket } from 'ws';
import type { PrivateJwk } from '../../schemas/jws.ts';
import { signRequestToken } from '../../trust/request-token.ts';
import type { BenchCase } from '../case.ts';

const AGENTS = 10_000;
const AT_ONCE = 50;
const HEARTBEAT_MS = 30_000;

interface Usage {
  readonly rss: number;
  readonly cpuMs: number;
}

/** Ten thousand agents that only say that they are there, on one console process. */
export const fleet: BenchCase = {
  number: 9,
  title: `${AGENTS} idle agents on one console`,
  async measure({ idleSeconds, say }) {
    const folder = mkdtempSync(join(tmpdir(), 'fleet-'));
    try {
      const seconds = Math.max(60, idleSeconds);
      let keys: PrivateJwk[] | null = null;
      const ours = await watch('fleet-console.ts', [join(folder, 'console'), String(AGENTS)], {
        seconds,
        say,
        headers: async (url, index) => {
          keys ??= JSON.parse(readFileSync(join(folder, 'console', 'keys.json'), 'utf8')) as PrivateJwk[];
          const jwk = keys[index] as PrivateJwk;
          const signed = { jwk, issuer: `agent-${index}`, method: 'GET', url, now: new Date() };
          return { authorization: `Bearer ${await signRequestToken(signed)}` };
        },
      });
      const bare = await watch('bare-socket-server.ts', [], { seconds, say, headers: async () => ({}) });
      const minutes = seconds / 60;
      return {
        number: 9,
        title: fleet.title,
        instead: 'a bare `ws` server that keeps as many connections and sends the same heartbeat',
        figures: [
          {
            what: 'memory an agent',
            unit: 'bytes',
            agent: (ours.full.rss - ours.empty.rss) / AGENTS,
            instead: (bare.full.rss - bare.empty.rss) / AGENTS,
            aim: null,
          },
          {
            what: 'memory of the process',
            unit: 'bytes',
            agent: ours.full.rss,
            instead: bare.full.rss,
            aim: null,
          },
          {
            what: 'CPU a minute, all agents',
            unit: 'ms',
            agent: ours.idleMs / minutes,
            instead: bare.idleMs / minutes,
            aim: null,
          },
          {
            what: 'CPU to take an agent in (token, hello)',
            unit: 'ms',
            agent: ours.connectMs / AGENTS,
            instead: bare.connectMs / AGENTS,
            aim: null,
          },
        ],
        notes: [
          `"Memory an agent" is what the connections added to a process that had grown before, by making ${AGENTS} keys; with the whole process counted it is ${Math.round(ours.full.rss / AGENTS / 1_024)} KiB.`,
          `Watched for ${seconds} s after all had said hello. Both sides send a heartbeat every 30 s, over plain TCP on loopback: TLS costs as much more as it does in any Node server.`,
        ],
      };
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
};

async function watch(
  program: string,
  args: readonly string[],
  options: {
    seconds: number;
    say: (text: string) => void;
    headers: (url: string, index: number) => Promise<Record<string, string>>;
  },
): Promise<{ empty: Usage; full: Usage; connectMs: number; idleMs: number }> {
  const child = spawn(
    process.execPath,
    ['--expose-gc', fileURLToPath(new URL(`../${program}`, import.meta.url)), ...args],
    { stdio: ['pipe', 'pipe', 'inherit'] },
  );
  const lines = createInterface(child.stdout);
  const sockets: WebSocket[] = [];
  let beat: NodeJS.Timeout | undefined;
  try {
    const { url } = await nextLine<{ url: string }>(lines);
    const empty = await usage(child, lines);
    options.say(`${AGENTS} agents connect to ${program}`);
    // from the beginning: the first would be taken for gone before the last has come
    beat = setInterval(() => {
      for (const socket of sockets) socket.send(frame('edgeflows.heartbeat', {}));
    }, HEARTBEAT_MS);
    for (let first = 0; first < AGENTS; first += AT_ONCE) {
      const some = Array.from({ length: Math.min(AT_ONCE, AGENTS - first) }, (_, index) => first + index);
      const opened = some.map(async (index) => connect(`${url}/edge/tunnel`, index, options.headers));
      sockets.push(...(await Promise.all(opened)));
    }
    const connected = await usage(child, lines);
    options.say(`watching for ${options.seconds} s`);
    await sleep(options.seconds * 1_000);
    const full = await usage(child, lines);
    const open = sockets.filter(({ readyState }) => readyState === WebSocket.OPEN).length;
    if (open !== AGENTS) throw new Error(`expected ${AGENTS} open connections at the end, found ${open}`);
    return { empty, full, connectMs: connected.cpuMs - empty.cpuMs, idleMs: full.cpuMs - connected.cpuMs };
  } finally {
    clearInterval(beat);
    for (const socket of sockets) socket.terminate();
    child.stdin.end();
    await once(child, 'exit');
  }
}

async function connect(
  url: string,
  index: number,
  headers: (url: string, index: number) => Promise<Record<string, string>>,
): Promise<WebSocket> {
  const socket = new WebSocket(url.replace('http', 'ws'), 'cloudevents.json', {
    headers: await headers(url, index),
    perMessageDeflate: false,
  });
  socket.on('message', () => {});
  await once(socket, 'open');
  const data = {
    agent_id: `agent-${index}`,
    agent_version: '0.1.0',
    boot_id: 'boot',
    log_id: 'log',
    next_seq: 1,
    active_revision: null,
  };
  socket.send(frame('edgeflows.hello', data, index));
  return socket;
}

function frame(type: string, data: unknown, index = 0): string {
  const id = crypto.randomUUID();
  const datacontenttype = 'application/json';
  return JSON.stringify({
    specversion: '1.0',
    type,
    id,
    source: `/agents/agent-${index}`,
    datacontenttype,
    data,
  });
}

async function usage(child: ChildProcess, lines: Interface): Promise<Usage> {
  const answer = nextLine<Usage>(lines);
  child.stdin?.write('\n');
  return answer;
}

async function nextLine<T>(lines: Interface): Promise<T> {
  const [line] = (await once(lines, 'line')) as [string];
  return JSON.parse(line) as T;
}
