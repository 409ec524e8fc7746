import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { CommandReceipt } from '../../../reconciler/ports.ts';
import {
  acknowledgedBy,
  advanceUntil,
  clockAtStart,
  settled,
  startTunnelSetting,
  type TunnelSetting,
  until,
} from '../../support/tunnel-setting.ts';

let setting: TunnelSetting;
beforeEach(async () => {
  setting = await startTunnelSetting();
});
afterEach(() => setting[Symbol.asyncDispose]());

describe('an open connection', () => {
  test('returns an echo as it came, whatever JSON it is', async () => {
    const agent = setting.start();
    const to = await setting.connected(agent);
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
    const agent = setting.start();
    const to = await setting.connected(agent);
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
    const clock = clockAtStart();
    const agent = setting.start({ clock });
    const to = await setting.connected(agent);
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
    const agent = setting.start();
    const to = await setting.connected(agent);
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
    const agent = setting.start();
    const to = await setting.connected(agent);
    expect(agent.link().send('edgeflows.run.started', { run_id: 'r' }, 'given')).toBe(true);
    expect(agent.link().send('edgeflows.status', { a: 1 })).toBe(true);
    await until(() => to.of('edgeflows.status').length > 0);
    expect(to.of('edgeflows.run.started')).toMatchObject([{ id: 'given', data: { run_id: 'r' } }]);
    expect(to.of('edgeflows.status')[0]?.id).toMatch(/^[0-9a-f-]{36}$/);
  });

  test('leaves out a frame that no console would take, and stays open', async () => {
    const agent = setting.start();
    const to = await setting.connected(agent);
    expect(agent.link().send('edgeflows.status', 'x'.repeat(1024 * 1024))).toBe(true);
    await settled(to);
    expect(to.of('edgeflows.status')).toEqual([]);
    expect(agent.lines.some(({ message }) => message.includes('larger than the tunnel carries'))).toBe(true);
  });

  test('beats as often as the console asks, in data and in pings', async () => {
    const clock = clockAtStart();
    setting.server.greet(4_000);
    const agent = setting.start({ clock });
    const to = await setting.connected(agent);
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
    const clock = clockAtStart();
    setting.server.greet(3_600_000);
    const agent = setting.start({ clock });
    const to = await setting.connected(agent);
    await clock.advance(29_999);
    await settled(to);
    expect(to.of('edgeflows.heartbeat')).toEqual([]);
    await clock.advance(1);
    await until(() => to.of('edgeflows.heartbeat').length === 1);
  });

  test('stays while the console beats, and ends after 45 seconds of its silence', async () => {
    const clock = clockAtStart();
    const agent = setting.start({ clock });
    const to = await setting.connected(agent);
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
    await advanceUntil(clock, 100, () => setting.server.connections.length > 1);
  });

  test('ends when pings stay unanswered although frames come', async () => {
    const clock = clockAtStart();
    const agent = setting.start({ clock });
    const to = await setting.connected(agent);
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
    const agent = setting.start();
    const to = await setting.connected(agent);
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
    const agent = setting.start();
    const to = await setting.connected(agent);
    for (let n = 0; n < 30; n += 1) to.send('edgeflows.command', `jws-${n}`, `c-${n}`);
    await until(() => acknowledgedBy(to).length === 30);
    expect(acknowledgedBy(to)).toEqual(Array.from({ length: 30 }, (_, n) => `c-${n}`));
    expect(agent.commands).toEqual(Array.from({ length: 30 }, (_, n) => `jws-${n}`));
    expect(to.of('edgeflows.ack').length).toBeLessThan(30);
  });

  test('that come twice are acknowledged twice', async () => {
    const agent = setting.start();
    const to = await setting.connected(agent);
    to.send('edgeflows.command', 'jws', 'same');
    to.send('edgeflows.command', 'jws', 'same');
    await until(() => acknowledgedBy(to).length === 2);
    expect(agent.commands).toEqual(['jws', 'jws']);
  });

  test('that are refused are told so with the code', async () => {
    const agent = setting.start();
    const to = await setting.connected(agent);
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
    const agent = setting.start({ uniform: () => 0.001 });
    const first = await setting.connected(agent);
    const persisted = Promise.withResolvers<CommandReceipt>();
    agent.receive(() => persisted.promise);
    first.send('edgeflows.command', 'jws', 'c-1');
    first.send('edgeflows.command', 'never begun', 'c-2');
    await until(() => agent.commands.length === 1);
    setting.server.cut();
    const second = await setting.connected(agent, 1);
    agent.receive(accepted);
    persisted.resolve({ kind: 'accepted', commandId: 'c-1' });
    await settled(second);
    expect(second.of('edgeflows.ack')).toEqual([]);
    expect(agent.commands).toEqual(['jws']);
    second.send('edgeflows.command', 'jws', 'c-1');
    await until(() => second.of('edgeflows.ack').length === 1);
  });

  test('that come faster than they are persisted are not read any more', async () => {
    const agent = setting.start();
    const to = await setting.connected(agent);
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
    await until(() => acknowledgedBy(to).length === 1_000);
    expect(new Set(acknowledgedBy(to)).size).toBe(1_000);
  });
});

test('commands that take long to persist are not taken for silence of the console', async () => {
  const clock = clockAtStart();
  const agent = setting.start({ clock });
  const to = await setting.connected(agent);
  let persist: (() => void)[] = [];
  agent.receive(async (jws) => {
    await new Promise<void>((resolve) => persist.push(resolve));
    return { kind: 'accepted', commandId: jws };
  });
  for (let n = 0; n < 100; n += 1) to.send('edgeflows.command', `jws-${n}`, `c-${n}`);
  await until(() => persist.length > 0);
  const persistOne = async () => {
    await until(() => persist.length > 0);
    const [first] = persist;
    persist = [];
    first?.();
  };
  // 44 s pass without a byte read, then half of them are done and the socket is read again.
  await clock.advance(44_000);
  for (let n = 0; n < 70; n += 1) await persistOne();
  await clock.advance(30_000);
  expect(to.closed()).toBeNull();
  for (let n = 70; n < 100; n += 1) await persistOne();
  await until(() => acknowledgedBy(to).length === 100);
});

describe('a console that does not read', () => {
  test('is offered no more than a bound, and the rest when it reads again', async () => {
    const agent = setting.start();
    const to = await setting.connected(agent);
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
    const agent = setting.start();
    const to = await setting.connected(agent);
    to.stopReading();
    const data = 'x'.repeat(500_000);
    for (let n = 0; n < 120; n += 1) to.send('edgeflows.echo.request', data);
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(to.socket.bufferedAmount).toBeGreaterThan(20_000_000);
    to.readOn();
    await until(() => to.of('edgeflows.echo.reply').length === 120);
  });

  test('still gets heartbeats while no progress is taken', async () => {
    const clock = clockAtStart();
    setting.server.greet(1_000);
    const agent = setting.start({ clock });
    const to = await setting.connected(agent);
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
