import { createConnection } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  addTenant,
  type EnrolledAgent,
  enrolAgent,
  type RunningConsole,
  startConsole,
} from './running-console.ts';
import { command, connect, frame, openSocket, type TunnelClient } from './tunnel-client.ts';

let running: RunningConsole | undefined;
const open: TunnelClient[] = [];

const start = async (limits: Parameters<typeof startConsole>[0] = {}): Promise<RunningConsole> => {
  running = await startConsole(limits);
  await addTenant(running, 'acme');
  return running;
};
const join = async (at: RunningConsole, agent?: EnrolledAgent): Promise<[TunnelClient, EnrolledAgent]> => {
  const joining = agent ?? (await enrolAgent(at, 'acme'));
  const client = await connect(joining, at.url);
  open.push(client);
  // Its answer comes after the agent's hello was taken.
  client.send('edgeflows.echo.request', 1, 'welcome');
  await client.next('edgeflows.echo.reply');
  return [client, joining];
};

beforeEach(() => {
  running = undefined;
});
afterEach(async () => {
  for (const client of open.splice(0)) await client.end();
  await running?.[Symbol.asyncDispose]();
});

describe('an agent that says nothing', () => {
  it('is ended, and so is one that never says hello; one that sends heartbeats stays, and hears them', async () => {
    const at = await start({
      limits: { tunnelSilenceMs: 2_500, tunnelHelloMs: 500, tunnelHeartbeatMs: 800 },
    });
    const [silent] = await join(at);
    const [alive] = await join(at);
    const beats = setInterval(() => alive.send('edgeflows.heartbeat', {}), 500);
    const mute = await openSocket(await enrolAgent(at, 'acme'), at.url);
    const muteEnded = new Promise<number>((resolve) => {
      mute.once('close', resolve);
    });
    expect(await muteEnded).toBe(4008);
    expect((await silent.closed).code).toBe(4008);
    await alive.next('edgeflows.heartbeat');
    await alive.next('edgeflows.heartbeat');
    alive.send('edgeflows.echo.request', 1);
    await alive.next('edgeflows.echo.reply');
    clearInterval(beats);
  });
});

describe('an agent that does not read', () => {
  it('costs the console a bounded buffer, whatever it is told and asks for, and is ended', async () => {
    const at = await start({ limits: { tunnelSilenceMs: 3_000 } });
    const [deaf, agent] = await join(at);
    deaf.socket.pause();
    const state = async () => {
      const response = await fetch(`${at.url}/api/agents/${agent.issuer}/commands?limit=500`, {
        headers: { 'x-api-key': at.apiKey },
      });
      return ((await response.json()) as { commands: { state: string }[] }).commands.map((row) => row.state);
    };
    const before = process.memoryUsage().arrayBuffers;
    // The echo of half a megabyte, as often as it takes to fill what the kernel keeps for a socket, and the console's buffer.
    const big = frame(agent, 'edgeflows.echo.request', 'x'.repeat(512 * 1024), 'e');
    let written = 0;
    const backlog = () => deaf.socket.bufferedAmount;
    while (backlog() === 0 && written < 200) {
      deaf.socket.send(big);
      written += 1;
      await new Promise((wake) => setTimeout(wake, 20));
    }
    // The console no longer reads what it could not answer.
    expect(written).toBeLessThan(200);
    for (let index = 0; index < 40; index += 1) {
      const { jws } = await command(agent, { action: 'suspend', by: 'ada', why: 'x'.repeat(900) });
      await fetch(`${at.url}/api/agents/${agent.issuer}/commands`, {
        method: 'POST',
        headers: { 'x-api-key': at.apiKey, 'content-type': 'text/plain' },
        body: jws,
      });
    }
    for (let index = 0; index < 1_000; index += 1) {
      at.console.notices.push.publish({ tenant: 'acme', commit: index.toString(16).padStart(40, '0') });
    }
    expect(await state()).toEqual(Array.from({ length: 40 }, () => 'queued'));
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(20 * 1024 * 1024);
    await expect.poll(() => at.console.connected('acme'), { timeout: 15_000 }).toBe(0);
    await deaf.end();
    // All of it is still there for the next connection, the nudges as one.
    const [again] = await join(at, agent);
    for (let index = 0; index < 40; index += 1) {
      const { id } = await again.next('edgeflows.command');
      again.send('edgeflows.ack', { ids: [id] });
    }
    const nudges = again.received.filter(({ type }) => type === 'edgeflows.reconcile.request');
    expect(nudges.map(({ data }) => data)).toEqual([
      { revision: `tenant/acme@sha1:${(999).toString(16).padStart(40, '0')}` },
    ]);
  });

  it('hears everything when it reads again in time', async () => {
    const at = await start();
    const [slow, agent] = await join(at);
    slow.socket.pause();
    const count = 40;
    for (let index = 0; index < count; index += 1) {
      slow.socket.send(frame(agent, 'edgeflows.echo.request', 'x'.repeat(256 * 1024), `e${index}`));
    }
    at.console.notices.push.publish({ tenant: 'acme', commit: 'a'.repeat(40) });
    await new Promise((wake) => setTimeout(wake, 300));
    slow.socket.resume();
    for (let index = 0; index < count; index += 1) {
      expect((await slow.next('edgeflows.echo.reply')).id).toBe(`e${index}`);
    }
    expect((await slow.next('edgeflows.reconcile.request')).data).toEqual({
      revision: `tenant/acme@sha1:${'a'.repeat(40)}`,
    });
  });
});

describe('an agent that sends too much', () => {
  it('is read more slowly, and loses nothing', async () => {
    const at = await start({ limits: { tunnelBurst: 500, tunnelPerSecond: 500 } });
    const [busy] = await join(at);
    const began = performance.now();
    const sent = Array.from({ length: 3_000 }, (_, index) => `e${index}`);
    for (const id of sent) busy.send('edgeflows.echo.request', 'x'.repeat(200), id);
    busy.send('edgeflows.echo.request', 'last', 'last');
    await busy.next('edgeflows.echo.reply', ({ id }) => id === 'last');
    const replies = busy.received.filter(({ type }) => type === 'edgeflows.echo.reply');
    expect(replies.map(({ id }) => id)).toEqual(['welcome', ...sent, 'last']);
    // 1,500 tokens, 500 of them at once: no machine is so fast that it would have been read sooner.
    expect(performance.now() - began).toBeGreaterThan(1_000);
  });

  it('is ended when it asks for pongs and does not read them', async () => {
    const at = await start({
      limits: { tunnelSilenceMs: 2_000, tunnelBurst: 1e6, tunnelPerSecond: 1e6 },
    });
    const [deaf] = await join(at);
    deaf.socket.pause();
    const before = process.memoryUsage().rss;
    const flood = setInterval(() => {
      for (let index = 0; index < 500; index += 1) {
        if (deaf.socket.bufferedAmount < 1_000_000) deaf.socket.ping(Buffer.alloc(125));
      }
    }, 5);
    await expect.poll(() => at.console.connected('acme'), { timeout: 90_000, interval: 200 }).toBe(0);
    clearInterval(flood);
    expect(process.memoryUsage().rss - before).toBeLessThan(100 * 1024 * 1024);
  });
});

describe('two hundred agents', () => {
  it('are all greeted, nudged and heard by one console, which closes in peace', async () => {
    const at = await start({ limits: { tunnelSessions: 200, strangerBurst: 1_000 } });
    const agents: EnrolledAgent[] = [];
    while (agents.length < 200) {
      const some = await Promise.all(Array.from({ length: 20 }, async () => enrolAgent(at, 'acme')));
      await Promise.all(some.map(async (agent) => join(at, agent)));
      agents.push(...some);
    }
    await expect.poll(() => at.console.connected('acme')).toBe(200);
    const full = await openSocket(agents[0] as EnrolledAgent, at.url).catch((error: unknown) =>
      String(error),
    );
    expect(full).toContain('503');
    at.console.notices.push.publish({ tenant: 'acme', commit: 'b'.repeat(40) });
    await Promise.all(open.map(async (client) => client.next('edgeflows.reconcile.request')));
    for (const client of open) client.send('edgeflows.echo.request', 'x');
    await Promise.all(open.map(async (client) => client.next('edgeflows.echo.reply')));
    await at.console.close();
    const codes = await Promise.all(open.map(async (client) => (await client.closed).code));
    expect(new Set(codes)).toEqual(new Set([1001]));
    const waits = open.flatMap((client) =>
      client.received
        .filter(({ type }) => type === 'edgeflows.goaway')
        .map(({ data }) => (data as { after_ms: number }).after_ms),
    );
    expect(new Set(waits).size).toBe(200);
  });
});

describe('a connection that breaks off', () => {
  it('in the middle of the upgrade leaves nothing behind', async () => {
    const at = await start();
    const { port } = new URL(at.url);
    for (let index = 0; index < 20; index += 1) {
      const socket = createConnection(Number(port), '127.0.0.1');
      socket.on('error', () => {});
      socket.write(
        'GET /edge/tunnel HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\r\n',
      );
      if (index % 2 === 0) socket.destroy();
      else {
        await new Promise((resolve) => {
          socket.once('close', resolve);
          socket.resume();
        });
      }
    }
    const [client] = await join(at);
    client.send('edgeflows.echo.request', 1);
    await client.next('edgeflows.echo.reply');
    client.socket.terminate();
    await expect.poll(() => at.console.connected('acme')).toBe(0);
  });
});
