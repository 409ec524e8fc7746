import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createHttpClient, type HttpClient } from '../../system/http-client.ts';
import { requestWithToken } from '../../system/token-request.ts';
import { newKey } from '../../trust/ceremony/new-key.ts';
import { signRequestToken } from '../../trust/request-token.ts';
import { answering, type LoopbackServer, startHttpServer } from '../support/http-server.ts';

const key = newKey();
let server: LoopbackServer;
let client: HttpClient;
let offsetMs: number;
let made: number;
beforeEach(async () => {
  server = await startHttpServer();
  [offsetMs, made] = [0, 0];
  client = createHttpClient({
    userAgent: 'test',
    environment: {},
    clock: { now: here },
    onClockOffset: (ms) => {
      offsetMs = ms;
    },
  });
});
afterEach(async () => {
  client.close();
  await server[Symbol.asyncDispose]();
});

/** Two hours behind. */
const here = () => new Date(Date.now() - 7_200_000);
const url = () => `${server.origin}/edge/status`;
const authorize = async () => {
  made += 1;
  const now = new Date(here().getTime() + offsetMs);
  return `Bearer ${await signRequestToken({ jwk: key, issuer: 'agent-1', method: 'POST', url: url(), now })}`;
};
const ask = (body: string | { bytes: number; chunks: AsyncIterable<Uint8Array> } = '{}') =>
  requestWithToken(
    client,
    {
      method: 'POST',
      url: url(),
      body,
      signal: new AbortController().signal,
      deadlineMs: 10_000,
      maxBytes: 1_000,
    },
    authorize,
  );

/** Takes tokens of its own time alone. */
function strict(): void {
  server.on('/edge/status', (incoming, response) => {
    incoming.resume();
    const payload = String(incoming.headers.authorization).split('.')[1] ?? '';
    const { iat } = JSON.parse(Buffer.from(payload, 'base64url').toString()) as { iat: number };
    const good = Math.abs(iat - Date.now() / 1_000) < 60;
    response.writeHead(good ? 200 : 401).end();
  });
}

describe('a request whose token says when it was made', () => {
  it('is made again by the server’s time when it was refused for its own', async () => {
    strict();
    const response = await ask();
    response.discard();
    expect([response.status, made, server.requests.length]).toEqual([200, 2, 2]);
    (await ask()).discard();
    expect(made).toBe(3);
  });

  it('is not made again when the time was right', async () => {
    server.on('/edge/status', answering(401, ''));
    (await ask()).discard();
    const response = await ask();
    response.discard();
    // the first one learned the time, and was refused again for something else
    expect([response.status, made]).toEqual([401, 3]);
  });

  it('is made again once, whatever the server says of the time', async () => {
    server.on('/edge/status', answering(401, '', { date: 'Thu, 01 Jan 2099 00:00:00 GMT' }));
    const response = await ask();
    response.discard();
    expect([response.status, made]).toEqual([401, 2]);
  });

  it('is sent once when its body is a stream', async () => {
    strict();
    const chunks = (async function* () {
      yield Buffer.from('{}');
    })();
    const response = await ask({ bytes: 2, chunks });
    response.discard();
    expect([response.status, made]).toEqual([401, 1]);
  });
});
