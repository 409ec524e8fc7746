import { once } from 'node:events';
import { connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { CommandReceipt } from '../../../reconciler/ports.ts';
import { type CommandPort, openCommandPort } from '../../../sources/tunnel/command-port.ts';
import { createManualClock } from '../../../system/clock.ts';
import { commandChannelContract } from '../../contract/command-channel.ts';
import { askPort } from '../../support/ask-port.ts';
import { recordingLog } from '../../support/recording-log.ts';

const NOW = new Date('2026-11-20T15:00:00Z');

commandChannelContract('loopback port', async (receive) => {
  const port = await openCommandPort({ receive, clock: createManualClock(NOW), log: recordingLog() });
  return {
    async send(jws) {
      const { status } = await askPort(port.port, { body: jws });
      // 409: it was taken before, so the sender need not send it again.
      if (status === 202 || status === 409) return { kind: 'acknowledged' };
      return status === 401 ? { kind: 'refused', code: null } : { kind: 'later' };
    },
    close: () => port.close(),
  };
});

describe('the command port', () => {
  let port: CommandPort;
  let receipt: CommandReceipt;
  let received: string[];
  const clock = createManualClock(NOW);
  const log = recordingLog();

  beforeEach(async () => {
    receipt = { kind: 'accepted', commandId: 'c-1' };
    received = [];
    const receive = async (jws: string) => {
      received.push(jws);
      return receipt;
    };
    port = await openCommandPort({ receive, clock, log });
  });
  afterEach(() => port.close());

  const post = (body: string, headers = {}) => askPort(port.port, { body, headers });

  test('answers 202 with the id, as one JSON document on one connection', async () => {
    const { status, headers, body } = await post('a.b.c\n');
    expect([status, JSON.parse(body)]).toEqual([202, { command_id: 'c-1' }]);
    expect(received).toEqual(['a.b.c']);
    expect(headers).toEqual({
      connection: 'close',
      'content-length': String(body.length),
      'content-type': 'application/json',
    });
  });

  test('answers 409 to what was seen before', async () => {
    receipt = { kind: 'repeated', commandId: 'c-1' };
    expect(await post('a.b.c')).toMatchObject({ status: 409, body: expect.stringContaining('seen_before') });
  });

  test('answers 401 to what is not believed, whatever the reason, in the same words', async () => {
    const answers = new Set<string>();
    for (const code of ['not_enrolled', 'tenant_mismatch', 'signature_invalid', 'key_unknown'] as const) {
      receipt = { kind: 'refused', code, message: 'expected tenant acme, found other', commandId: 'c-1' };
      const { status, body } = await post('a.b.c');
      expect(status).toBe(401);
      answers.add(body);
    }
    expect([...answers].map((body) => JSON.parse(body) as unknown)).toEqual([
      { error: { code: 'not_believed', message: 'the command was not believed' } },
    ]);
  });

  test('answers 429 with a time when the inbox is busy', async () => {
    receipt = { kind: 'busy', message: 'full', afterMs: 4_200 };
    expect(await post('a.b.c')).toMatchObject({ status: 429, headers: { 'retry-after': '5' } });
  });

  test('answers 429 after a burst, and takes commands again later', async () => {
    const statuses = [];
    for (let n = 0; n < 102; n += 1) statuses.push((await post('a.b.c')).status);
    expect(statuses.slice(0, 100).every((status) => status === 202)).toBe(true);
    expect(statuses.slice(100)).toEqual([429, 429]);
    await clock.advance(1_000);
    expect((await post('a.b.c')).status).toBe(202);
    expect(received).toHaveLength(101);
  });

  test('takes 64 KiB and not a byte more, told beforehand or not', async () => {
    expect((await post('x'.repeat(65_536))).status).toBe(202);
    expect((await post('x'.repeat(65_537), { 'content-length': '65537' })).status).toBe(413);
    expect((await post('x'.repeat(65_537), { 'transfer-encoding': 'chunked' })).status).toBe(413);
    expect((await post('x'.repeat(1_000_000), { 'transfer-encoding': 'chunked' })).status).toBe(413);
    receipt = { kind: 'refused', code: 'command_too_large', message: 'more', commandId: null };
    expect((await post('a.b.c')).status).toBe(413);
    expect(received).toHaveLength(2);
  });

  test('serves nothing else', async () => {
    for (const path of ['/', '/commands/', '/commands?a=1', '/../commands', '/status', '/edge/notify']) {
      expect((await askPort(port.port, { path })).status).toBe(404);
    }
    for (const method of ['GET', 'PUT', 'DELETE', 'OPTIONS', 'HEAD', 'PATCH']) {
      expect(await askPort(port.port, { method })).toMatchObject({ status: 405, headers: { allow: 'POST' } });
    }
    expect(received).toEqual([]);
  });

  test('ends a connection that says nothing, that is slow, or that speaks no HTTP, without a word about itself, and serves others', async () => {
    const slow = 'POST /commands HTTP/1.1\r\nHost: x\r\nContent-Le';
    const ending = Promise.all(
      [
        '',
        slow,
        '\u0016\u0003\u0001 not HTTP at all\r\n\r\n',
        `GET / HTTP/1.1\r\nA: ${'x'.repeat(20_000)}\r\n\r\n`,
      ].map(async (text) => {
        const socket = connect(port.port, '127.0.0.1');
        let answer = '';
        socket.setEncoding('latin1').on('data', (chunk: string) => {
          answer += chunk;
        });
        socket.on('error', () => undefined).write(text);
        await once(socket, 'close');
        return answer.split('\r\n')[0];
      }),
    );
    expect((await post('a.b.c')).status).toBe(202);
    expect(await ending).toEqual([
      expect.stringMatching(/^$|^HTTP\/1\.1 408/),
      expect.stringMatching(/^$|^HTTP\/1\.1 408/),
      'HTTP/1.1 400 Bad Request',
      'HTTP/1.1 431 Request Header Fields Too Large',
    ]);
    expect(received).toEqual(['a.b.c']);
  });

  test('does not go on with a second request on the same connection', async () => {
    const socket = connect(port.port, '127.0.0.1');
    let text = '';
    socket.setEncoding('latin1').on('data', (chunk: string) => {
      text += chunk;
    });
    const one = 'POST /commands HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\na.b.c';
    socket.write(one + one);
    await once(socket, 'close');
    expect(text.match(/HTTP\/1\.1 202/g)).toHaveLength(1);
  });

  test('closes while connections are open that say nothing', async () => {
    const idle = connect(port.port, '127.0.0.1');
    await once(idle, 'connect');
    const ended = once(idle, 'close');
    idle.on('error', () => undefined).resume();
    await port.close();
    await ended;
    expect(idle.destroyed).toBe(true);
  });
});
