import type { Duplex } from 'node:stream';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  answerUpgrade,
  consoleHello,
  startTunnelConsole,
  upgradeByHand,
} from '../../support/tunnel-console.ts';
import {
  advanceUntil,
  clockAtStart,
  startTunnelSetting,
  type TunnelSetting,
  until,
} from '../../support/tunnel-setting.ts';

let setting: TunnelSetting;
beforeEach(async () => {
  setting = await startTunnelSetting();
});
afterEach(() => setting[Symbol.asyncDispose]());

describe('an upgrade', () => {
  test('asks for the subprotocol, with a token for this call and without compression', async () => {
    const signed: string[] = [];
    const agent = setting.start({
      authorize: (method, url) => {
        signed.push(`${method} ${url.href}`);
        return Promise.resolve('Bearer the-token');
      },
    });
    const { request, socket } = await setting.connected(agent);
    expect(request.url).toBe('/edge/tunnel');
    expect(request.headers).toMatchObject({
      authorization: 'Bearer the-token',
      'sec-websocket-protocol': 'cloudevents.json',
      'user-agent': 'edge-agent/test',
    });
    expect(request.headers['sec-websocket-extensions']).toBeUndefined();
    expect(socket.extensions).toBe('');
    expect(signed).toEqual([`GET ${setting.server.url.href}`]);
  });

  test('says hello first, without waiting for the console to say it', async () => {
    setting.server.greet(null);
    const agent = setting.start();
    const to = await setting.connection();
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
    const agent = setting.start({ authorize: () => Promise.resolve(null) });
    await until(() => agent.events.length > 0);
    expect(agent.events[0]).toMatchObject({
      reason: 'TunnelFailed',
      because: expect.stringContaining('edge-agent enroll'),
    });
    expect(setting.server.asked()).toBe(0);
  });

  test('that is redirected takes its credentials nowhere', async () => {
    await using elsewhere = await startTunnelConsole();
    setting.server.refuse(answerUpgrade('302 Found', { location: elsewhere.url.href }));
    const agent = setting.start();
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
    const clock = clockAtStart();
    setting.server.refuse(answerUpgrade(status));
    const agent = setting.start({ clock });
    await until(() => agent.events.length > 0);
    expect(agent.events[0]?.because).toContain(advice);
    expect(agent.tunnel.state()).toMatchObject({
      state: 'disconnected',
      message: expect.stringContaining(status.slice(0, 3)),
    });
    const waited = await advanceUntil(clock, 5_000, () => setting.server.asked() > 1);
    expect(waited).toBeGreaterThan(150_000);
    expect(waited).toBeLessThan(300_000);
  });

  test('is tried again at once with the console’s time when this clock was wrong', async () => {
    const clock = clockAtStart();
    const consoleTime = new Date(clock.now().getTime() + 3_600_000);
    const offsets: number[] = [];
    setting.server.refuse(answerUpgrade('401 Unauthorized', { date: consoleTime.toUTCString() }));
    const agent = setting.start({
      clock,
      authorize: (_method, _url, offsetMs) => {
        offsets.push(offsetMs);
        if (Math.abs(offsetMs - 3_600_000) < 2_000) setting.server.refuse(null);
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
    const clock = clockAtStart();
    setting.server.refuse(answerUpgrade('503 Service Unavailable', { 'retry-after': '120' }));
    const agent = setting.start({ clock });
    await until(() => agent.events.length > 0);
    const waited = await advanceUntil(clock, 5_000, () => setting.server.asked() > 1);
    expect(waited).toBeGreaterThanOrEqual(120_000);
    expect(waited).toBeLessThan(140_000);
  });

  test.each([
    ['without the subprotocol', { 'sec-websocket-protocol': '' }],
    ['with another subprotocol', { 'sec-websocket-protocol': 'mqtt' }],
    ['with compression that was not asked for', { 'sec-websocket-extensions': 'permessage-deflate' }],
    ['with the wrong proof', { 'sec-websocket-accept': 'AAAAAAAAAAAAAAAAAAAAAAAAAAA=' }],
    ['to another protocol', { upgrade: 'h2c' }],
  ])('that is answered %s is given up', async (_how, change: Record<string, string>) => {
    setting.server.refuse(upgradeByHand(() => {}, change));
    const agent = setting.start();
    await until(() => agent.events.length > 0);
    expect(agent.events[0]?.reason).toBe('TunnelFailed');
    expect(agent.told).not.toContain('opened');
  });

  test.each([
    ['is cut off', (socket: Duplex) => socket.destroy()],
    ['is no HTTP', (socket: Duplex) => socket.end('SSH-2.0-OpenSSH_9.9\r\n')],
    [
      'has headers without end',
      (socket: Duplex) => socket.write(`HTTP/1.1 101 x\r\n${'a: b\r\n'.repeat(20_000)}`),
    ],
  ])('whose answer %s is given up', async (_how, answer) => {
    setting.server.refuse((_request, socket) => void answer(socket));
    const agent = setting.start();
    await until(() => agent.events.length > 0);
    expect(agent.events[0]?.reason).toBe('TunnelFailed');
  });

  test('that is never answered is given up after its deadline', async () => {
    const clock = clockAtStart();
    setting.server.refuse(() => {});
    const agent = setting.start({ clock });
    await until(() => setting.server.asked() > 0);
    await clock.advance(29_999);
    expect(agent.events).toEqual([]);
    await clock.advance(1);
    await until(() => agent.events.length > 0);
    expect(agent.events[0]?.because).toContain('30000 ms');
  });

  test('fails once in the events, however often it fails', async () => {
    setting.server.refuse(answerUpgrade('500 Internal Server Error'));
    const agent = setting.start({ uniform: () => 0.001 });
    await until(() => setting.server.asked() >= 4);
    expect(agent.events.map(({ reason }) => reason)).toEqual(['TunnelFailed']);
    setting.server.refuse(null);
    await setting.connected(agent);
    setting.server.refuse(answerUpgrade('500 Internal Server Error'));
    setting.server.cut();
    await until(() => agent.events.length >= 4);
    expect(agent.events.map(({ reason }) => reason)).toEqual([
      'TunnelFailed',
      'TunnelConnected',
      'TunnelDisconnected',
      'TunnelFailed',
    ]);
  });
});

test('the token is in no event, no log line and no state', async () => {
  const token = 'eyJhbGciOiJFZDI1NTE5In0.eyJzdWIiOiJhZ2VudCJ9.c2lnbmF0dXJl';
  const agent = setting.start({ authorize: () => Promise.resolve(`Bearer ${token}`), uniform: () => 0.001 });
  setting.server.refuse(answerUpgrade('401 Unauthorized', { 'x-echo': token }));
  await until(() => agent.events.length > 0);
  await agent.stop();
  const second = setting.start({ authorize: () => Promise.resolve(`Bearer ${token}`), uniform: () => 0.001 });
  setting.server.refuse(null);
  await setting.connected(second);
  setting.server.cut();
  await setting.connected(second, 1);
  await second.stop();
  const said = JSON.stringify([agent.events, agent.lines, agent.tunnel.state(), second.events, second.lines]);
  expect(said).not.toContain(token.slice(0, 20));
});
