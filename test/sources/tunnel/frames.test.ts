import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createJumpWatch } from '../../../sources/tunnel/clock-jump.ts';
import { readFrame, writeFrame } from '../../../sources/tunnel/frames.ts';
import { shownTunnelUrl, tunnelUrl } from '../../../sources/tunnel/tunnel-url.ts';

const AT = new Date('2026-11-20T15:00:00Z');
const incoming = (type: string, data?: unknown) =>
  readFrame(JSON.stringify({ specversion: '1.0', type, id: 'i', source: '/console', data }));

describe('a frame', () => {
  test('comes out as it went in, whatever JSON it carries', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (data) => {
        const text = writeFrame({ type: 'edgeflows.echo.request', id: 'i', agentId: 'a', at: AT, data });
        expect(readFrame(text as string)).toEqual({
          kind: 'echo',
          id: 'i',
          data: JSON.parse(JSON.stringify(data)),
        });
      }),
    );
  });

  test('is read without a throw, whatever text it is', () => {
    const types = fc.constantFrom(
      'hello',
      'command',
      'ack',
      'goaway',
      'run.log.ack',
      'reconcile.request',
      'x',
    );
    fc.assert(fc.property(fc.string(), (text) => void readFrame(text)));
    fc.assert(
      fc.property(types, fc.jsonValue(), (type, data) => {
        expect(incoming(`edgeflows.${type}`, data).kind).toMatch(/^[a-z_]+$/);
      }),
    );
  });

  test('is not written when it is larger than a frame may be, in bytes', () => {
    const frame = (data: string) => writeFrame({ type: 't', id: 'i', agentId: 'a', at: AT, data });
    expect(frame('x'.repeat(1024 * 1024 - 200))).not.toBeNull();
    expect(frame('é'.repeat(1024 * 512))).toBeNull();
  });

  test('says what is wrong with it', () => {
    expect(incoming('edgeflows.goaway', { after_ms: -1, reason: '' })).toEqual({
      kind: 'invalid',
      message: expect.stringContaining('data of edgeflows.goaway, found at after_ms'),
    });
    expect(readFrame('{"specversion":"0.3","type":"x","id":"i","source":"/"}')).toEqual({
      kind: 'invalid',
      message: expect.stringContaining('a CloudEvent, found at specversion'),
    });
  });

  test('without data is a heartbeat and a nudge, and nothing else', () => {
    expect(incoming('edgeflows.heartbeat')).toEqual({ kind: 'heartbeat' });
    expect(incoming('edgeflows.reconcile.request')).toEqual({ kind: 'reconcile', revision: null });
    expect(incoming('edgeflows.command').kind).toBe('invalid');
    expect(incoming('edgeflows.hello').kind).toBe('invalid');
  });
});

describe('the URL of the tunnel', () => {
  test('is the written one, signed for as http(s), or below saas_url', () => {
    expect(tunnelUrl('wss://t.example/edge/tunnel', 'https://c.example').href).toBe(
      'https://t.example/edge/tunnel',
    );
    expect(tunnelUrl('ws://127.0.0.1:8080/t', undefined).href).toBe('http://127.0.0.1:8080/t');
    expect(tunnelUrl('https://t.example/x', undefined).href).toBe('https://t.example/x');
    expect(tunnelUrl(undefined, 'https://c.example').href).toBe('https://c.example/edge/tunnel');
    expect(tunnelUrl(undefined, 'https://c.example/base/').href).toBe('https://c.example/base/edge/tunnel');
    expect(shownTunnelUrl(tunnelUrl('wss://t.example/a?token=x', undefined))).toBe('wss://t.example/a');
  });
});

describe('a watch for jumps', () => {
  const watching = () => {
    let [wall, monotonic] = [1_000_000, 0];
    const clock = {
      now: () => new Date(wall),
      monotonicMs: () => monotonic,
      sleep: () => Promise.resolve(),
    };
    const jumped = createJumpWatch(clock, 45_000);
    return (wallMs: number, monotonicMs: number, expectedMs: number) => {
      wall += wallMs;
      monotonic += monotonicMs;
      return jumped(expectedMs);
    };
  };

  test('sees sleep (the wall clock alone went on), a stopped process (both) and a clock set back', () => {
    expect(watching()(3_600_000, 5_000, 5_000)).toBe(true);
    expect(watching()(60_000, 60_000, 5_000)).toBe(true);
    expect(watching()(-3_600_000, 5_000, 5_000)).toBe(true);
  });

  test('passes over what a busy machine and NTP do, and begins anew every time', () => {
    const after = watching();
    expect(after(5_040, 5_040, 5_000)).toBe(false);
    expect(after(-2_000, 5_000, 5_000)).toBe(false);
    expect(after(40_000, 40_000, 5_000)).toBe(false);
    expect(after(90_000, 90_000, 5_000)).toBe(true);
    expect(after(5_000, 5_000, 5_000)).toBe(false);
  });
});
