import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { CommandReceipt } from '../../../reconciler/ports.ts';
import { answerUpgrade } from '../../support/tunnel-console.ts';
import {
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

describe('after a connection', () => {
  test('that broke, the next one comes within a second', async () => {
    const clock = clockAtStart();
    const agent = setting.start({ clock, uniform: () => 0.999 });
    const to = await setting.connected(agent);
    to.send('edgeflows.heartbeat', {});
    await settled(to);
    setting.server.cut();
    await until(() => agent.tunnel.state().state === 'disconnected');
    const waited = await advanceUntil(clock, 100, () => setting.server.connections.length > 1);
    expect(waited).toBeGreaterThanOrEqual(900);
    expect(waited).toBeLessThanOrEqual(1_500);
    expect(agent.events.map(({ reason, severity }) => `${severity} ${reason}`).slice(0, 2)).toEqual([
      'info TunnelConnected',
      'warning TunnelDisconnected',
    ]);
  });

  test('that said goaway, commands are finished and the wait is kept', async () => {
    const clock = clockAtStart();
    const agent = setting.start({ clock });
    const to = await setting.connected(agent);
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
    const waited = await advanceUntil(clock, 500, () => setting.server.connections.length > 1);
    expect(waited).toBeGreaterThanOrEqual(20_000);
    expect(waited).toBeLessThanOrEqual(22_000);
  });

  test('that said goaway and hung up, the wait is kept too', async () => {
    const clock = clockAtStart();
    const agent = setting.start({ clock });
    const to = await setting.connected(agent);
    agent.receive(() => new Promise(() => {}));
    to.send('edgeflows.command', 'jws', 'c-1');
    to.send('edgeflows.goaway', { after_ms: 20_000, reason: 'the console is closing' });
    to.socket.close(1001, 'the console is closing');
    await until(() => agent.tunnel.state().state === 'disconnected');
    expect(agent.events.at(-1)).toMatchObject({ severity: 'info', reason: 'TunnelDisconnected' });
    expect(
      await advanceUntil(clock, 500, () => setting.server.connections.length > 1),
    ).toBeGreaterThanOrEqual(20_000);
  });

  test('that said goaway for a year, the wait is a quarter of an hour', async () => {
    const clock = clockAtStart();
    const agent = setting.start({ clock });
    const to = await setting.connected(agent);
    to.send('edgeflows.goaway', { after_ms: 365 * 24 * 3_600_000, reason: 'holidays' });
    await until(() => agent.tunnel.state().state === 'disconnected');
    const waited = await advanceUntil(clock, 10_000, () => setting.server.connections.length > 1);
    expect(waited).toBeGreaterThanOrEqual(900_000);
    expect(waited).toBeLessThanOrEqual(930_000);
  });

  test('that another took the place of, it is not taken back at once', async () => {
    const clock = clockAtStart();
    const agent = setting.start({ clock, uniform: () => 0 });
    for (let n = 0; n < 3; n += 1) {
      const to = await setting.connected(agent, n);
      to.send('edgeflows.heartbeat', {});
      await settled(to);
      to.socket.close(4001, 'replaced');
      await until(() => agent.tunnel.state().state === 'disconnected');
      expect(agent.tunnel.state().message).toContain('same device key');
      const waited = await advanceUntil(clock, 1_000, () => setting.server.connections.length > n + 1);
      expect(waited).toBeGreaterThanOrEqual(32_000);
    }
  });

  test('of an agent that was revoked, minutes pass', async () => {
    const clock = clockAtStart();
    const agent = setting.start({ clock });
    const to = await setting.connected(agent);
    to.socket.close(4003, 'revoked');
    await until(() => agent.tunnel.state().state === 'disconnected');
    expect(agent.tunnel.state().message).toContain('edge-agent enroll');
    const waited = await advanceUntil(clock, 5_000, () => setting.server.connections.length > 1);
    expect(waited).toBeGreaterThanOrEqual(150_000);
  });

  test('over which the machine slept, the next one is made at once', async () => {
    const clock = clockAtStart();
    const agent = setting.start({ clock, uniform: () => 0.999 });
    const to = await setting.connected(agent);
    clock.set(new Date(clock.now().getTime() + 3_600_000));
    await clock.advance(5_000);
    await until(() => to.closed() !== null);
    await until(() => setting.server.connections.length > 1);
    expect(agent.events.find(({ reason }) => reason === 'TunnelDisconnected')?.because).toContain('slept');
  });

  test('that cannot be made, sleep of the machine ends the wait', async () => {
    const clock = clockAtStart();
    setting.server.refuse(answerUpgrade('401 Unauthorized'));
    const agent = setting.start({ clock });
    await until(() => agent.events.length > 0);
    setting.server.refuse(null);
    await until(() => clock.sleepers() > 0);
    clock.set(new Date(clock.now().getTime() + 3_600_000));
    await clock.advance(5_000);
    await setting.connected(agent);
    expect(setting.server.asked()).toBe(2);
  });
});

describe('a stop', () => {
  test('ends an upgrade that is not answered, and a wait for the next', async () => {
    setting.server.refuse(() => {});
    const asking = setting.start();
    await until(() => setting.server.asked() > 0);
    await asking.stop();
    setting.server.refuse(answerUpgrade('404 Not Found'));
    const waiting = setting.start();
    await until(() => waiting.events.length > 0);
    await waiting.stop();
    expect(waiting.tunnel.state().state).toBe('disconnected');
  });

  test('cuts off a console that does not answer the close', async () => {
    const agent = setting.start();
    const to = await setting.connected(agent);
    to.stopReading();
    await agent.stop();
    expect(agent.told).toContain('closed');
  });
});
