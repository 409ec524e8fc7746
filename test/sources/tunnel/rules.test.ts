import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { TunnelFrameType } from '../../../schemas/tunnel-frame.ts';
import { type AgentConnection, consoleHello, upgradeByHand } from '../../support/tunnel-console.ts';
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

describe('a console that breaks the rules', () => {
  test('is left when it says nothing for ten seconds', async () => {
    const clock = clockAtStart();
    setting.server.greet(null);
    const agent = setting.start({ clock });
    const to = await setting.connection();
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
    setting.server.greet(null);
    const agent = setting.start();
    const to = await setting.connection();
    misbehave(to);
    await until(() => to.closed() !== null);
    expect(to.closed()?.code).toBe(1008);
    await until(() => agent.events.length > 0);
    expect(agent.events[0]?.reason).toBe('TunnelFailed');
  });

  test('is borne nineteen frames that are none, and left at the twentieth', async () => {
    const agent = setting.start();
    const to = await setting.connected(agent);
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
    const agent = setting.start({ uniform: () => 0.001 });
    const binary = await setting.connected(agent);
    binary.socket.send(Buffer.from('{}'));
    await until(() => binary.closed() !== null);
    expect(binary.closed()?.code).toBe(1003);
    const huge = await setting.connected(agent, 1);
    huge.socket.send(`"${'x'.repeat(1024 * 1024)}"`);
    await until(() => huge.closed() !== null);
    expect(huge.closed()?.code).toBe(1009);
    const garbled = await setting.connected(agent, 2);
    garbled.socket.send(Buffer.from([0x22, 0xff, 0x22]), { binary: false });
    await until(() => garbled.closed() !== null);
    expect(garbled.closed()?.code).toBe(1007);
    await setting.connected(agent, 3);
  });

  test('that hangs up on every frame is asked ever more seldom', async () => {
    const clock = clockAtStart();
    setting.server.greet(null);
    setting.start({ clock, uniform: () => 0.999 });
    const waits: number[] = [];
    for (let n = 0; n < 5; n += 1) {
      const to = await setting.connection(n);
      to.socket.send('nonsense');
      await until(() => to.closed() !== null);
      waits.push(await advanceUntil(clock, 250, () => setting.server.connections.length > n + 1));
    }
    for (const [n, waited] of waits.entries()) {
      expect(waited).toBeGreaterThanOrEqual(990 * 2 ** n);
      expect(waited).toBeLessThanOrEqual(1_000 * 2 ** n + 1_000);
    }
  });

  test('after good ones is asked ever more seldom too', async () => {
    const clock = clockAtStart();
    const agent = setting.start({ clock, uniform: () => 0.999 });
    const waits: number[] = [];
    for (let n = 0; n < 4; n += 1) {
      const to = await setting.connected(agent, n);
      to.send('edgeflows.heartbeat', {});
      await settled(to);
      to.socket.send(`"${'x'.repeat(1024 * 1024)}"`);
      await until(() => to.closed() !== null);
      waits.push(await advanceUntil(clock, 250, () => setting.server.connections.length > n + 1));
    }
    expect(waits[3]).toBeGreaterThanOrEqual(7_900);
  });

  test('speaks anything but WebSocket after the upgrade, and ends nothing', async () => {
    const agent = setting.start({ uniform: () => 0.000_1 });
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 2_000 }), async (bytes) => {
        const before = setting.server.asked();
        setting.server.refuse(upgradeByHand((socket) => socket.end(bytes)));
        await until(() => setting.server.asked() > before);
      }),
      { numRuns: 40 },
    );
    setting.server.refuse(null);
    await setting.connected(agent);
    expect(agent.lines.filter(({ level }) => level === 'error')).toEqual([]);
  });

  test('sends any JSON as any frame, and ends nothing', async () => {
    const agent = setting.start({ uniform: () => 0.000_1 });
    const type = fc.constantFrom(...TunnelFrameType.options, 'edgeflows.x', '');
    let n = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(type, fc.jsonValue()), { maxLength: 15 }), async (frames) => {
        const to = await setting.connected(agent, n);
        n += 1;
        for (const [kind, data] of frames) to.send(kind, data);
        to.socket.close(1000);
        await until(() => agent.told.filter((what) => what === 'closed').length === n);
      }),
      { numRuns: 40 },
    );
    await setting.connected(agent, n);
    expect(agent.lines.filter(({ level }) => level === 'error')).toEqual([]);
  });

  test('sends brackets without end in an echo and ends nothing', async () => {
    const agent = setting.start();
    const to = await setting.connected(agent);
    const deep = '['.repeat(200_000) + ']'.repeat(200_000);
    to.socket.send(
      `{"specversion":"1.0","type":"edgeflows.echo.request","id":"1","source":"/console","data":${deep}}`,
    );
    await settled(to);
    expect(to.closed()).toBeNull();
  });
});
