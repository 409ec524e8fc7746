// Agents that report, as a process of its own: `node status-load.ts <origin> <keys.json>`. A line of JSON `{agents, from, round, connections}` makes each of
// those agents POST one status; the answer is a line of JSON. Tokens are signed before the clock starts: an agent signs on its own machine.
// `{tunnels, frames}` opens so many tunnels, and sends so many statuses through them, each once the one before is acknowledged.
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { Pool } from 'undici';
import type { PrivateJwk } from '../schemas/jws.ts';
import { connect } from '../test/console/tunnel-client.ts';
import { signRequestToken } from '../trust/request-token.ts';
import { madeStatus } from './made-status.ts';

const [origin = '', keysFile = ''] = process.argv.slice(2);
const keys = JSON.parse(readFileSync(keysFile, 'utf8')) as PrivateJwk[];

interface Order {
  readonly agents?: number;
  readonly from?: number;
  readonly round: number;
  readonly connections?: number;
  readonly tunnels?: number;
  readonly frames?: number;
}

const quantile = (sorted: readonly number[], of: number) =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * of))] ?? Number.NaN;

function summary(startedMs: number, tookMs: number[], wrong: number) {
  const seconds = (performance.now() - startedMs) / 1_000;
  const sorted = tookMs.toSorted((a, b) => a - b);
  return { count: tookMs.length, wrong, seconds, p50: quantile(sorted, 0.5), p95: quantile(sorted, 0.95) };
}

async function report({ agents = 0, from = 0, round, connections = 32 }: Order) {
  const url = `${origin}/edge/status`;
  const calls: { token: string; body: string }[] = [];
  for (let index = from; index < from + agents; index += 1) {
    const jwk = keys[index] as PrivateJwk;
    const now = new Date();
    const signed = { jwk, issuer: `agent-${index}`, method: 'POST', url, now };
    calls.push({
      token: await signRequestToken(signed),
      body: JSON.stringify(madeStatus(index, round, now)),
    });
  }
  const pool = new Pool(origin, { connections, pipelining: 1 });
  const tookMs: number[] = [];
  let [next, wrong] = [0, 0];
  const startedMs = performance.now();
  await Promise.all(
    Array.from({ length: connections }, async () => {
      for (let call = calls[next++]; call !== undefined; call = calls[next++]) {
        const began = performance.now();
        const answer = await pool.request({
          method: 'POST',
          path: '/edge/status',
          headers: { authorization: `Bearer ${call.token}`, 'content-type': 'application/json' },
          body: call.body,
        });
        await answer.body.dump();
        if (answer.statusCode !== 200) wrong += 1;
        tookMs.push(performance.now() - began);
      }
    }),
  );
  const done = summary(startedMs, tookMs, wrong);
  await pool.close();
  return { ...done, bytes: calls[0]?.body.length ?? 0 };
}

async function frames({ tunnels = 0, frames: each = 0, round }: Order) {
  const clients = await Promise.all(
    Array.from({ length: tunnels }, async (_, index) => {
      const issuer = `agent-${index}`;
      const agent = { jwk: keys[index] as PrivateJwk, issuer, answer: { agent_id: issuer } as never };
      return connect(agent, origin);
    }),
  );
  const tookMs: number[] = [];
  const startedMs = performance.now();
  await Promise.all(
    clients.map(async (client, index) => {
      for (let sent = 0; sent < each; sent += 1) {
        const began = performance.now();
        const id = client.send('edgeflows.status', madeStatus(index, round + sent, new Date()));
        await client.next('edgeflows.ack', ({ data }) => (data as { ids: string[] }).ids.includes(id));
        tookMs.push(performance.now() - began);
      }
    }),
  );
  const done = summary(startedMs, tookMs, 0);
  await Promise.all(clients.map(async (client) => client.end()));
  return done;
}

for await (const line of createInterface(process.stdin)) {
  const order = JSON.parse(line) as Order;
  const done = order.tunnels === undefined ? await report(order) : await frames(order);
  process.stdout.write(`${JSON.stringify(done)}\n`);
}
