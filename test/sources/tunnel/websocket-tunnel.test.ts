import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { CommandReceipt } from '../../../reconciler/ports.ts';
import { createManualClock } from '../../../system/clock.ts';
import { type AgentSide, type AgentSideOptions, startAgentSide } from '../../support/tunnel-agent.ts';
import {
  type AgentConnection,
  answerUpgrade,
  consoleHello,
  startTunnelConsole,
  type TunnelConsole,
} from '../../support/tunnel-console.ts';

const START = new Date('2026-11-20T15:00:00Z');
let server: TunnelConsole;
let agents: AgentSide[];

beforeEach(async () => {
  server = await startTunnelConsole();
  agents = [];
});
afterEach(async () => {
  await Promise.all(agents.map((agent) => agent.stop()));
  await server[Symbol.asyncDispose]();
});

function start(options: Partial<AgentSideOptions> = {}): AgentSide {
  const agent = startAgentSide({ url: server.url, ...options });
  agents.push(agent);
  return agent;
}

const until = (condition: () => boolean) => vi.waitUntil(condition, { timeout: 15_000, interval: 3 });

async function connection(n = 0): Promise<AgentConnection> {
  await until(() => server.connections.length > n);
  return server.connections[n] as AgentConnection;
}

/** Resolves when the agent has handled everything that was sent to it before. */
async function settled(to: AgentConnection): Promise<void> {
  const before = to.of('edgeflows.echo.reply').length;
  to.send('edgeflows.echo.request', null);
  await until(() => to.of('edgeflows.echo.reply').length > before);
}

async function connected(agent: AgentSide, n = 0): Promise<AgentConnection> {
  const to = await connection(n);
  await until(() => agent.tunnel.state().state === 'connected');
  return to;
}

/** Moves a stopped clock until something is so, without waiting for real time beyond what sockets need. */
async function advanceUntil(
  clock: ReturnType<typeof createManualClock>,
  stepMs: number,
  condition: () => boolean,
): Promise<number> {
  let moved = 0;
  while (!condition()) {
    if (moved > 3_600_000)
      throw new Error('expected it within an hour of the clock, found that nothing came');
    await clock.advance(stepMs);
    moved += stepMs;
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  return moved;
}

describe('an upgrade', () => {
  test('asks for the subprotocol, with a token for this call and without compression', async () => {
    const signed: string[] = [];
    const agent = start({
      authorize: (method, url) => {
        signed.push(`${method} ${url.href}`);
        return Promise.resolve('Bearer the-token');
      },
    });
    const { request, socket } = await connected(agent);
    expect(request.url).toBe('/edge/tunnel');
    expect(request.headers).toMatchObject({
      authorization: 'Bearer the-token',
      'sec-websocket-protocol': 'cloudevents.json',
      'user-agent': 'edge-agent/test',
    });
    expect(request.headers['sec-websocket-extensions']).toBeUndefined();
    expect(socket.extensions).toBe('');
    expect(signed).toEqual([`GET ${server.url.href}`]);
  });

  test('says hello first, without waiting for the console to say it', async () => {
    server.greet(null);
    const agent = start();
    const to = await connection();
    await until(() => to.frames.length > 0);
    expect(to.frames[0]).toMatchObject({
      specversion: '1.0',
      type: 'edgeflows.hello',
      source: '/agents/agent-1',
      datacontenttype: 'application/json',
      data: { agent_id: 'agent-1', boot_id: 'boot-1', log_id: 'log-1', next_seq: 1, active_revision: null },
    });
    expect(agent.tunnel.state().state).toBe('connecting');
    expect(agent.told).not.toContain('opened');
    to.send('edgeflows.hello', consoleHello());
    await until(() => agent.tunnel.state().state === 'connected');
    expect(agent.told).toContain('opened');
    expect(agent.events.map(({ reason }) => reason)).toEqual(['TunnelConnected']);
  });

  test('is not made when the agent is not enrolled', async () => {
    const agent = start({ authorize: () => Promise.resolve(null) });
    await until(() => agent.events.length > 0);
    expect(agent.events[0]).toMatchObject({
      reason: 'TunnelFailed',
      because: expect.stringContaining('edge-agent enroll'),
    });
    expect(server.asked()).toBe(0);
  });

  test('that is redirected takes its credentials nowhere', async () => {
    await using elsewhere = await startTunnelConsole();
    server.refuse(answerUpgrade('302 Found', { location: elsewhere.url.href }));
    const agent = start();
    await until(() => agent.events.length > 0);
    expect(agent.events[0]?.because).toContain(elsewhere.url.origin);
    expect(agent.events[0]?.because).toContain('tunnel.url');
    expect(elsewhere.asked()).toBe(0);
  });

  test.each([
    ['401 Unauthorized', 'edge-agent enroll'],
    ['403 Forbidden', 'edge-agent enroll'],
    ['404 Not Found', 'tunnel.url'],
    ['200 OK', 'tunnel.url'],
  ])('that is answered with %s is tried again some minutes later', async (status, advice) => {
    const clock = createManualClock(START);
    server.refuse(answerUpgrade(status));
    const agent = start({ clock });
    await until(() => agent.events.length > 0);
    expect(agent.events[0]?.because).toContain(advice);
    expect(agent.tunnel.state()).toMatchObject({
      state: 'disconnected',
      message: expect.stringContaining(status.slice(0, 3)),
    });
    const waited = await advanceUntil(clock, 5_000, () => server.asked() > 1);
    expect(waited).toBeGreaterThan(150_000);
    expect(waited).toBeLessThan(300_000);
  });

  test('is tried again at once with the console’s time when this clock was wrong', async () => {
    const clock = createManualClock(START);
    const consoleTime = new Date(START.getTime() + 3_600_000);
    const offsets: number[] = [];
    server.refuse(answerUpgrade('401 Unauthorized', { date: consoleTime.toUTCString() }));
    const agent = start({
      clock,
      authorize: (_method, _url, offsetMs) => {
        offsets.push(offsetMs);
        if (Math.abs(offsetMs - 3_600_000) < 2_000) server.refuse(null);
        return Promise.resolve('Bearer x');
      },
    });
    await until(() => agent.events.length > 0);
    expect(agent.events[0]?.because).toContain('clock is wrong');
    const waited = await advanceUntil(clock, 250, () => agent.tunnel.state().state === 'connected');
    expect(waited).toBeLessThanOrEqual(1_500);
    expect(offsets[0]).toBe(0);
  });

  test('waits as long as a busy console asks for', async () => {
    const clock = createManualClock(START);
    server.refuse(answerUpgrade('503 Service Unavailable', { 'retry-after': '120' }));
    const agent = start({ clock });
    await until(() => agent.events.length > 0);
    const waited = await advanceUntil(clock, 5_000, () => server.asked() > 1);
    expect(waited).toBeGreaterThanOrEqual(120_000);
    expect(waited).toBeLessThan(140_000);
  });

  test('without the subprotocol, or with compression, is given up', async () => {
    const accept = (extra: Record<string, string>) =>
      answerUpgrade('101 Switching Protocols', { upgrade: 'websocket', connection: 'upgrade', ...extra });
    server.refuse(accept({ 'sec-websocket-accept': 'AAAAAAAAAAAAAAAAAAAAAAAAAAA=' }));
    const agent = start();
    await until(() => agent.events.length > 0);
    expect(agent.events[0]).toMatchObject({ reason: 'TunnelFailed' });
    expect(agent.told).not.toContain('opened');
  });

  test('that is never answered is given up after its deadline', async () => {
    const clock = createManualClock(START);
    server.refuse(() => {});
    const agent = start({ clock });
    await until(() => server.asked() > 0);
    await clock.advance(29_999);
    expect(agent.events).toEqual([]);
    await clock.advance(1);
    await until(() => agent.events.length > 0);
    expect(agent.events[0]?.because).toContain('30000 ms');
  });

  test('fails once in the events, however often it fails', async () => {
    server.refuse(answerUpgrade('500 Internal Server Error'));
    const agent = start({ uniform: () => 0.001 });
    await until(() => server.asked() >= 4);
    expect(agent.events.map(({ reason }) => reason)).toEqual(['TunnelFailed']);
    server.refuse(null);
    await connected(agent);
    server.refuse(answerUpgrade('500 Internal Server Error'));
    server.cut();
    await until(() => agent.events.length >= 4);
    expect(agent.events.map(({ reason }) => reason)).toEqual([
      'TunnelFailed',
      'TunnelConnected',
      'TunnelDisconnected',
      'TunnelFailed',
    ]);
  });
});

describe('a console that breaks the rules', () => {
  test('is left when it says nothing for ten seconds', async () => {
    const clock = createManualClock(START);
    server.greet(null);
    const agent = start({ clock });
    const to = await connection();
    await until(() => to.frames.length > 0);
    await clock.advance(9_999);
    expect(to.closed()).toBeNull();
    await clock.advance(1);
    await until(() => to.closed() !== null);
    expect(to.closed()).toMatchObject({ code: 1008, reason: expect.stringContaining('hello') });
    expect(agent.told).not.toContain('opened');
    expect(agent.told).not.toContain('closed');
  });

  test.each([
    ['another frame', (to: AgentConnection) => to.send('edgeflows.heartbeat', {})],
    ['a hello without a heartbeat', (to: AgentConnection) => to.send('edgeflows.hello', { session: 's' })],
    ['no JSON', (to: AgentConnection) => to.socket.send('{"specversion":')],
    ['a type of many bytes', (to: AgentConnection) => to.send('🦊'.repeat(60), {})],
  ])('is left when it begins with %s', async (_what, misbehave) => {
    server.greet(null);
    const agent = start();
    const to = await connection();
    misbehave(to);
    await until(() => to.closed() !== null);
    expect(to.closed()?.code).toBe(1008);
    await until(() => agent.events.length > 0);
    expect(agent.events[0]?.reason).toBe('TunnelFailed');
  });

  test('is borne nineteen frames that are none, and left at the twentieth', async () => {
    const agent = start();
    const to = await connected(agent);
    const nonsense = ['', 'null', '[]', '{}', '"x"', '{"specversion":"2.0"}', '\u0000'];
    for (let n = 0; n < 15; n += 1) to.socket.send(nonsense[n % nonsense.length] as string);
    to.send('edgeflows.hello', consoleHello());
    to.send('edgeflows.command', { not: 'a text' });
    to.send('edgeflows.command', 'a.b.c', 'an id with spaces');
    to.send('edgeflows.ack', { ids: 'all' });
    await settled(to);
    expect(to.closed()).toBeNull();
    to.send('edgeflows.run.log.ack', { offset: -1 });
    await until(() => to.closed() !== null);
    expect(to.closed()?.code).toBe(1008);
    expect(agent.commands).toEqual([]);
  });

  test('is left at a binary frame, at one beyond 1 MiB, and at text that is no UTF-8', async () => {
    const agent = start({ uniform: () => 0.001 });
    const binary = await connected(agent);
    binary.socket.send(Buffer.from('{}'));
    await until(() => binary.closed() !== null);
    expect(binary.closed()?.code).toBe(1003);
    const huge = await connected(agent, 1);
    huge.socket.send(`"${'x'.repeat(1024 * 1024)}"`);
    await until(() => huge.closed() !== null);
    expect(huge.closed()?.code).toBe(1009);
    const garbled = await connected(agent, 2);
    garbled.socket.send(Buffer.from([0x22, 0xff, 0x22]), { binary: false });
    await until(() => garbled.closed() !== null);
    expect(garbled.closed()?.code).toBe(1007);
    await connected(agent, 3);
  });

  test('that hangs up on every frame is asked ever more seldom', async () => {
    const clock = createManualClock(START);
    server.greet(null);
    start({ clock, uniform: () => 0.999 });
    const waits: number[] = [];
    for (let n = 0; n < 5; n += 1) {
      const to = await connection(n);
      to.socket.send('nonsense');
      await until(() => to.closed() !== null);
      waits.push(await advanceUntil(clock, 250, () => server.connections.length > n + 1));
    }
    for (const [n, waited] of waits.entries()) {
      expect(waited).toBeGreaterThanOrEqual(990 * 2 ** n);
      expect(waited).toBeLessThanOrEqual(1_000 * 2 ** n + 1_000);
    }
  });

  test('sends brackets without end in an echo and ends nothing', async () => {
    const agent = start();
    const to = await connected(agent);
    const deep = '['.repeat(200_000) + ']'.repeat(200_000);
    to.socket.send(
      `{"specversion":"1.0","type":"edgeflows.echo.request","id":"1","source":"/console","data":${deep}}`,
    );
    await settled(to);
    expect(to.closed()).toBeNull();
  });
});

describe('an open connection', () => {
  test('returns an echo as it came, whatever JSON it is', async () => {
    const agent = start();
    const to = await connected(agent);
    const sent = [
      null,
      0,
      -1.5,
      'é\u0000\ud83d\ude00',
      [],
      [[{}]],
      { a: { b: [1, 'x', null] }, é: true },
      'x'.repeat(100_000),
    ];
    for (const [n, data] of sent.entries()) to.send('edgeflows.echo.request', data, `echo-${n}`);
    await until(() => to.of('edgeflows.echo.reply').length === sent.length);
    expect(to.of('edgeflows.echo.reply').map(({ id, data }) => [id, data])).toEqual(
      sent.map((data, n) => [`echo-${n}`, data]),
    );
  });

  test('passes over types it does not know, and members it does not know', async () => {
    const agent = start();
    const to = await connected(agent);
    for (let n = 0; n < 50; n += 1) to.send('edgeflows.from.the.future', { n });
    to.send('edgeflows.run.started', { run_id: 'the wrong way round' });
    to.send('edgeflows.reconcile.request', { revision: 'tenant/acme@sha1:1', why: 'a push' });
    to.socket.send(
      '{"specversion":"1.0","type":"edgeflows.heartbeat","id":"h","source":"/console","traceparent":"x"}',
    );
    await settled(to);
    expect(to.closed()).toBeNull();
    expect(agent.nudges).toEqual(['tenant/acme@sha1:1']);
  });

  test('makes one nudge a second of however many, and keeps the last', async () => {
    const clock = createManualClock(START);
    const agent = start({ clock });
    const to = await connected(agent);
    for (let n = 0; n < 200; n += 1) to.send('edgeflows.reconcile.request', { revision: `r${n}` });
    to.send('edgeflows.reconcile.request', {});
    await settled(to);
    expect(agent.nudges).toEqual(['r0']);
    await clock.advance(1_000);
    expect(agent.nudges).toEqual(['r0', null]);
    await clock.advance(5_000);
    expect(agent.nudges).toEqual(['r0', null]);
    to.send('edgeflows.reconcile.request', { revision: 'later' });
    await settled(to);
    expect(agent.nudges).toEqual(['r0', null, 'later']);
  });

  test('tells what the console has taken', async () => {
    const agent = start();
    const to = await connected(agent);
    to.send('edgeflows.ack', {
      ids: ['a', 'b'],
      refused: [{ id: 'c', code: 'unknown_run', message: 'no such run' }],
    });
    const position = { run_id: 'run-1', attempt: 1, stream: 'stdout', offset: 42 };
    to.send('edgeflows.run.log.ack', position);
    await settled(to);
    expect(agent.acknowledged).toEqual(['a', 'b', 'c']);
    expect(agent.logAcks).toEqual([position]);
  });

  test('carries frames of the agent under the id they were given', async () => {
    const agent = start();
    const to = await connected(agent);
    expect(agent.link().send('edgeflows.run.started', { run_id: 'r' }, 'given')).toBe(true);
    expect(agent.link().send('edgeflows.status', { a: 1 })).toBe(true);
    await until(() => to.of('edgeflows.status').length > 0);
    expect(to.of('edgeflows.run.started')).toMatchObject([{ id: 'given', data: { run_id: 'r' } }]);
    expect(to.of('edgeflows.status')[0]?.id).toMatch(/^[0-9a-f-]{36}$/);
  });

  test('leaves out a frame that no console would take, and stays open', async () => {
    const agent = start();
    const to = await connected(agent);
    expect(agent.link().send('edgeflows.status', 'x'.repeat(1024 * 1024))).toBe(true);
    await settled(to);
    expect(to.of('edgeflows.status')).toEqual([]);
    expect(agent.lines.some(({ message }) => message.includes('larger than the tunnel carries'))).toBe(true);
  });

  test('beats as often as the console asks, in data and in pings', async () => {
    const clock = createManualClock(START);
    server.greet(4_000);
    const agent = start({ clock });
    const to = await connected(agent);
    await clock.advance(3_999);
    await settled(to);
    expect(to.of('edgeflows.heartbeat')).toEqual([]);
    await clock.advance(1);
    await until(() => to.of('edgeflows.heartbeat').length === 1);
    expect(to.of('edgeflows.heartbeat')[0]?.data).toEqual({});
    await until(() => to.pings() === 1);
    await clock.advance(8_000);
    await until(() => to.of('edgeflows.heartbeat').length === 3);
  });

  test('beats every thirty seconds when the console asks for less', async () => {
    const clock = createManualClock(START);
    server.greet(3_600_000);
    const agent = start({ clock });
    const to = await connected(agent);
    await clock.advance(29_999);
    await settled(to);
    expect(to.of('edgeflows.heartbeat')).toEqual([]);
    await clock.advance(1);
    await until(() => to.of('edgeflows.heartbeat').length === 1);
  });

  test('stays while the console beats, and ends after 45 seconds of its silence', async () => {
    const clock = createManualClock(START);
    const agent = start({ clock });
    const to = await connected(agent);
    for (let n = 0; n < 6; n += 1) {
      await clock.advance(30_000);
      to.send('edgeflows.heartbeat', {});
      await settled(to);
    }
    expect(to.closed()).toBeNull();
    // Pings are answered all the while: by a proxy, for all the agent knows.
    await clock.advance(44_000);
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(to.closed()).toBeNull();
    await advanceUntil(clock, 1_000, () => to.closed() !== null);
    expect(to.closed()).toMatchObject({ code: 4008 });
    expect(agent.told.filter((what) => what === 'closed')).toHaveLength(1);
    await advanceUntil(clock, 100, () => server.connections.length > 1);
  });

  test('ends when pings stay unanswered although frames come', async () => {
    const clock = createManualClock(START);
    const agent = start({ clock });
    const to = await connected(agent);
    to.stopReading();
    const beats = () => {
      to.send('edgeflows.heartbeat', {});
      return agent.tunnel.state().state !== 'connected';
    };
    const waited = await advanceUntil(clock, 1_000, beats);
    expect(waited).toBeGreaterThanOrEqual(75_000);
    expect(waited).toBeLessThan(90_000);
    expect(agent.events.at(-1)).toMatchObject({
      reason: 'TunnelDisconnected',
      because: expect.stringContaining('ping'),
    });
  });

  test('is closed in order when the agent stops, and only then the tunnel is done', async () => {
    const agent = start();
    const to = await connected(agent);
    await agent.stop();
    await until(() => to.closed() !== null);
    expect(to.closed()?.code).toBe(1000);
    expect(agent.tunnel.state().state).toBe('disconnected');
    expect(agent.told.filter((what) => what !== 'state')).toEqual(['opened', 'closed']);
    expect(agent.events.map(({ reason }) => reason)).toEqual(['TunnelConnected', 'TunnelDisconnected']);
    expect(agent.link().send('edgeflows.status', {})).toBe(false);
  });
});

describe('commands', () => {
  const accepted = (jws: string): Promise<CommandReceipt> =>
    Promise.resolve({ kind: 'accepted', commandId: jws });

  test('are taken in order, and those sent together are acknowledged together', async () => {
    const agent = start();
    const to = await connected(agent);
    for (let n = 0; n < 30; n += 1) to.send('edgeflows.command', `jws-${n}`, `c-${n}`);
    const ids = () => to.of('edgeflows.ack').flatMap(({ data }) => (data as { ids: string[] }).ids);
    await until(() => ids().length === 30);
    expect(ids()).toEqual(Array.from({ length: 30 }, (_, n) => `c-${n}`));
    expect(agent.commands).toEqual(Array.from({ length: 30 }, (_, n) => `jws-${n}`));
    expect(to.of('edgeflows.ack').length).toBeLessThan(30);
  });

  test('that come twice are acknowledged twice', async () => {
    const agent = start();
    const to = await connected(agent);
    to.send('edgeflows.command', 'jws', 'same');
    to.send('edgeflows.command', 'jws', 'same');
    await until(
      () => to.of('edgeflows.ack').flatMap(({ data }) => (data as { ids: string[] }).ids).length === 2,
    );
    expect(agent.commands).toEqual(['jws', 'jws']);
  });

  test('that are refused are told so with the code', async () => {
    const agent = start();
    const to = await connected(agent);
    agent.receive(() =>
      Promise.resolve({
        kind: 'refused',
        code: 'command_expired',
        message: 'm'.repeat(5_000),
        commandId: null,
      }),
    );
    to.send('edgeflows.command', 'jws', 'late');
    await until(() => to.of('edgeflows.ack').length === 1);
    expect(to.of('edgeflows.ack')[0]?.data).toEqual({
      ids: [],
      refused: [{ id: 'late', code: 'command_expired', message: 'm'.repeat(500) }],
    });
  });

  test('under way when the connection breaks are not acknowledged on the next one', async () => {
    const agent = start({ uniform: () => 0.001 });
    const first = await connected(agent);
    const persisted = Promise.withResolvers<CommandReceipt>();
    agent.receive(() => persisted.promise);
    first.send('edgeflows.command', 'jws', 'c-1');
    first.send('edgeflows.command', 'never begun', 'c-2');
    await until(() => agent.commands.length === 1);
    server.cut();
    const second = await connected(agent, 1);
    agent.receive(accepted);
    persisted.resolve({ kind: 'accepted', commandId: 'c-1' });
    await settled(second);
    expect(second.of('edgeflows.ack')).toEqual([]);
    expect(agent.commands).toEqual(['jws']);
    second.send('edgeflows.command', 'jws', 'c-1');
    await until(() => second.of('edgeflows.ack').length === 1);
  });

  test('that come faster than they are persisted are not read any more', async () => {
    const agent = start();
    const to = await connected(agent);
    const gate = Promise.withResolvers<void>();
    agent.receive(async (jws) => {
      await gate.promise;
      return { kind: 'accepted', commandId: jws };
    });
    const text = 'x'.repeat(40_000);
    for (let n = 0; n < 1_000; n += 1) to.send('edgeflows.command', text, `c-${n}`);
    await until(() => agent.commands.length === 1);
    await new Promise((resolve) => setTimeout(resolve, 200));
    // 40 MB were sent: what the agent does not read stays with the console.
    expect(to.socket.bufferedAmount).toBeGreaterThan(20_000_000);
    gate.resolve();
    const ids = () => to.of('edgeflows.ack').flatMap(({ data }) => (data as { ids: string[] }).ids);
    await until(() => ids().length === 1_000);
    expect(new Set(ids()).size).toBe(1_000);
  });
});

describe('a console that does not read', () => {
  test('is offered no more than a bound, and the rest when it reads again', async () => {
    const agent = start();
    const to = await connected(agent);
    to.stopReading();
    const link = agent.link();
    const data = 'x'.repeat(60_000);
    let taken = 0;
    while (taken < 2_000 && link.send('edgeflows.run.log', data)) {
      taken += 1;
      if (taken % 20 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    // The system's own buffers of a loopback connection hold some megabytes.
    expect(taken).toBeLessThan(2_000);
    expect(link.send('edgeflows.run.log', data)).toBe(false);
    expect(agent.told).not.toContain('drained');
    to.readOn();
    await until(() => agent.told.includes('drained'));
    await until(() => to.of('edgeflows.run.log').length === taken);
    expect(link.send('edgeflows.run.log', data)).toBe(true);
  });

  test('cannot make answers pile up by asking for echoes', async () => {
    const agent = start();
    const to = await connected(agent);
    to.stopReading();
    const data = 'x'.repeat(500_000);
    for (let n = 0; n < 120; n += 1) to.send('edgeflows.echo.request', data);
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(to.socket.bufferedAmount).toBeGreaterThan(20_000_000);
    to.readOn();
    await until(() => to.of('edgeflows.echo.reply').length === 120);
  });

  test('still gets heartbeats while no progress is taken', async () => {
    const clock = createManualClock(START);
    server.greet(1_000);
    const agent = start({ clock });
    const to = await connected(agent);
    to.stopReading();
    const link = agent.link();
    const data = 'x'.repeat(60_000);
    for (let n = 0; n < 2_000 && link.send('edgeflows.run.log', data); n += 1) {
      if (n % 20 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    expect(link.send('edgeflows.run.log', data)).toBe(false);
    await clock.advance(1_000);
    to.readOn();
    await until(() => to.of('edgeflows.heartbeat').length === 1);
  });
});

describe('after a connection', () => {
  test('that broke, the next one comes within a second', async () => {
    const clock = createManualClock(START);
    const agent = start({ clock, uniform: () => 0.999 });
    const to = await connected(agent);
    to.send('edgeflows.heartbeat', {});
    await settled(to);
    server.cut();
    await until(() => agent.tunnel.state().state === 'disconnected');
    const waited = await advanceUntil(clock, 100, () => server.connections.length > 1);
    expect(waited).toBeGreaterThanOrEqual(900);
    expect(waited).toBeLessThanOrEqual(1_500);
    expect(agent.events.map(({ reason, severity }) => `${severity} ${reason}`).slice(0, 2)).toEqual([
      'info TunnelConnected',
      'warning TunnelDisconnected',
    ]);
  });

  test('that said goaway, commands are finished and the wait is kept', async () => {
    const clock = createManualClock(START);
    const agent = start({ clock });
    const to = await connected(agent);
    const persisted = Promise.withResolvers<CommandReceipt>();
    agent.receive(() => persisted.promise);
    to.send('edgeflows.command', 'jws', 'c-1');
    await until(() => agent.commands.length === 1);
    to.send('edgeflows.goaway', { after_ms: 20_000, reason: 'a new version of the console' });
    to.send('edgeflows.command', 'jws', 'too late');
    await settled(to);
    expect(to.closed()).toBeNull();
    persisted.resolve({ kind: 'accepted', commandId: 'c-1' });
    await until(() => to.closed() !== null);
    expect(to.closed()?.code).toBe(1000);
    expect(to.of('edgeflows.ack')).toMatchObject([{ data: { ids: ['c-1'] } }]);
    await until(() => agent.tunnel.state().state === 'disconnected');
    expect(agent.events.at(-1)).toMatchObject({ severity: 'info', reason: 'TunnelDisconnected' });
    const waited = await advanceUntil(clock, 500, () => server.connections.length > 1);
    expect(waited).toBeGreaterThanOrEqual(20_000);
    expect(waited).toBeLessThanOrEqual(22_000);
  });

  test('that said goaway and hung up, the wait is kept too', async () => {
    const clock = createManualClock(START);
    const agent = start({ clock });
    const to = await connected(agent);
    agent.receive(() => new Promise(() => {}));
    to.send('edgeflows.command', 'jws', 'c-1');
    to.send('edgeflows.goaway', { after_ms: 20_000, reason: 'the console is closing' });
    to.socket.close(1001, 'the console is closing');
    await until(() => agent.tunnel.state().state === 'disconnected');
    expect(agent.events.at(-1)).toMatchObject({ severity: 'info', reason: 'TunnelDisconnected' });
    expect(await advanceUntil(clock, 500, () => server.connections.length > 1)).toBeGreaterThanOrEqual(
      20_000,
    );
  });

  test('that said goaway for a year, the wait is a quarter of an hour', async () => {
    const clock = createManualClock(START);
    const agent = start({ clock });
    const to = await connected(agent);
    to.send('edgeflows.goaway', { after_ms: 365 * 24 * 3_600_000, reason: 'holidays' });
    await until(() => agent.tunnel.state().state === 'disconnected');
    const waited = await advanceUntil(clock, 10_000, () => server.connections.length > 1);
    expect(waited).toBeGreaterThanOrEqual(900_000);
    expect(waited).toBeLessThanOrEqual(930_000);
  });

  test('that another took the place of, it is not taken back at once', async () => {
    const clock = createManualClock(START);
    const agent = start({ clock, uniform: () => 0 });
    for (let n = 0; n < 3; n += 1) {
      const to = await connected(agent, n);
      to.send('edgeflows.heartbeat', {});
      await settled(to);
      to.socket.close(4001, 'replaced');
      await until(() => agent.tunnel.state().state === 'disconnected');
      expect(agent.tunnel.state().message).toContain('same device key');
      const waited = await advanceUntil(clock, 1_000, () => server.connections.length > n + 1);
      expect(waited).toBeGreaterThanOrEqual(32_000);
    }
  });

  test('of an agent that was revoked, minutes pass', async () => {
    const clock = createManualClock(START);
    const agent = start({ clock });
    const to = await connected(agent);
    to.socket.close(4003, 'revoked');
    await until(() => agent.tunnel.state().state === 'disconnected');
    expect(agent.tunnel.state().message).toContain('edge-agent enroll');
    const waited = await advanceUntil(clock, 5_000, () => server.connections.length > 1);
    expect(waited).toBeGreaterThanOrEqual(150_000);
  });

  test('over which the machine slept, the next one is made at once', async () => {
    const clock = createManualClock(START);
    const agent = start({ clock, uniform: () => 0.999 });
    const to = await connected(agent);
    clock.set(new Date(clock.now().getTime() + 3_600_000));
    await clock.advance(5_000);
    await until(() => to.closed() !== null);
    await until(() => server.connections.length > 1);
    expect(agent.events.find(({ reason }) => reason === 'TunnelDisconnected')?.because).toContain('slept');
  });

  test('that cannot be made, sleep of the machine ends the wait', async () => {
    const clock = createManualClock(START);
    server.refuse(answerUpgrade('401 Unauthorized'));
    const agent = start({ clock });
    await until(() => agent.events.length > 0);
    server.refuse(null);
    await until(() => clock.sleepers() > 0);
    clock.set(new Date(clock.now().getTime() + 3_600_000));
    await clock.advance(5_000);
    await connected(agent);
    expect(server.asked()).toBe(2);
  });
});

describe('a stop', () => {
  test('ends an upgrade that is not answered, and a wait for the next', async () => {
    server.refuse(() => {});
    const asking = start();
    await until(() => server.asked() > 0);
    await asking.stop();
    server.refuse(answerUpgrade('404 Not Found'));
    const waiting = start();
    await until(() => waiting.events.length > 0);
    await waiting.stop();
    expect(waiting.tunnel.state().state).toBe('disconnected');
  });

  test('cuts off a console that does not answer the close', async () => {
    const agent = start();
    const to = await connected(agent);
    to.stopReading();
    await agent.stop();
    expect(agent.told).toContain('closed');
  });
});

test('the token is in no event, no log line and no state', async () => {
  const token = 'eyJhbGciOiJFZDI1NTE5In0.eyJzdWIiOiJhZ2VudCJ9.c2lnbmF0dXJl';
  const agent = start({ authorize: () => Promise.resolve(`Bearer ${token}`), uniform: () => 0.001 });
  server.refuse(answerUpgrade('401 Unauthorized', { 'x-echo': token }));
  await until(() => agent.events.length > 0);
  await agent.stop();
  const second = start({ authorize: () => Promise.resolve(`Bearer ${token}`), uniform: () => 0.001 });
  server.refuse(null);
  await connected(second);
  server.cut();
  await connected(second, 1);
  await second.stop();
  const said = JSON.stringify([agent.events, agent.lines, agent.tunnel.state(), second.events, second.lines]);
  expect(said).not.toContain(token.slice(0, 20));
});
