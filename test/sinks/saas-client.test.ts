import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createSaasClient } from '../../sinks/saas-client.ts';
import { createManualClock } from '../../system/clock.ts';
import { createHttpClient } from '../../system/http-client.ts';
import {
  answering,
  endless,
  type LoopbackServer,
  redirecting,
  startHttpServer,
} from '../support/http-server.ts';

let server: LoopbackServer;
const http = createHttpClient({ userAgent: 'edge-agent/test', environment: {} });
const forever = new AbortController().signal;
beforeEach(async () => {
  server = await startHttpServer();
});
afterEach(() => server[Symbol.asyncDispose]());

const asked: string[] = [];
const client = (options: { saasUrl?: string; deadlineMs?: number } = {}) =>
  createSaasClient({
    client: http,
    saasUrl: server.origin,
    authorize: async (method, url) => {
      asked.push(`${method} ${url.href}`);
      return 'Bearer secret-jwt';
    },
    clock: createManualClock(new Date('2026-11-20T15:00:00Z')),
    ...options,
  });

describe('the client of the SaaS', () => {
  test('posts JSON below the path of saas_url, with a token made for that URL', async () => {
    server.on('/base/edge/notify', answering(201, '{"ok":true}'));
    const { post } = client({ saasUrl: `${server.origin}/base/` });
    expect(await post('/edge/notify', { a: 'é' }, { 'idempotency-key': 'k' }, forever)).toEqual({
      kind: 'answer',
      status: 201,
      body: '{"ok":true}',
      retryAfterMs: null,
    });
    expect(server.requests[0]!.headers).toMatchObject({
      'content-type': 'application/json',
      'idempotency-key': 'k',
      authorization: 'Bearer secret-jwt',
    });
    expect(asked.at(-1)).toBe(`POST ${server.origin}/base/edge/notify`);
  });

  test('follows no redirect, to its own origin or another, and takes the token nowhere', async () => {
    await using other = await startHttpServer();
    server.on('/edge/notify', redirecting(`${other.origin}/edge/notify?key=hidden`, 307));
    const answer = await client().post('/edge/notify', {}, {}, forever);
    expect(answer).toMatchObject({ kind: 'no_answer', message: expect.stringContaining(other.origin) });
    expect(JSON.stringify(answer)).not.toContain('hidden');
    server.on('/edge/notify', redirecting('/elsewhere', 308));
    expect(await client().post('/edge/notify', {}, {}, forever)).toMatchObject({ kind: 'no_answer' });
    expect(other.requests).toEqual([]);
    expect(server.requests).toHaveLength(2);
  });

  test('reads Retry-After in seconds and as a date', async () => {
    server.on('/edge/status', answering(503, '', { 'retry-after': '7' }));
    expect(await client().post('/edge/status', {}, {}, forever)).toMatchObject({ retryAfterMs: 7_000 });
    server.on('/edge/status', answering(429, '', { 'retry-after': 'Fri, 20 Nov 2026 15:01:00 GMT' }));
    expect(await client().post('/edge/status', {}, {}, forever)).toMatchObject({ retryAfterMs: 60_000 });
    server.on('/edge/status', answering(429, '', { 'retry-after': 'soon' }));
    expect(await client().post('/edge/status', {}, {}, forever)).toMatchObject({ retryAfterMs: null });
  });

  test('reads at most 64 KiB of an answer that never ends, and still knows its status', async () => {
    server.on('/edge/notify', endless(16_384, 0));
    const answer = await client().post('/edge/notify', {}, {}, forever);
    expect(answer).toMatchObject({ kind: 'answer', status: 200 });
    expect(answer.kind === 'answer' && answer.body.length).toBeLessThanOrEqual(64 * 1024);
  });

  test('calls silence, a refused connection and a failing token no answer', async () => {
    server.on('/edge/notify', () => {});
    expect(await client({ deadlineMs: 100 }).post('/edge/notify', {}, {}, forever)).toMatchObject({
      kind: 'no_answer',
      message: expect.stringMatching(/100 ms/),
    });
    const gone = client({ saasUrl: 'http://127.0.0.1:9' });
    expect(await gone.post('/edge/notify', {}, {}, forever)).toMatchObject({ kind: 'no_answer' });
    const keyless = createSaasClient({
      client: http,
      saasUrl: server.origin,
      authorize: () => Promise.reject(new Error('expected device.jwk, found none')),
      clock: createManualClock(new Date(0)),
    });
    expect(await keyless.post('/edge/notify', {}, {}, forever)).toMatchObject({
      message: 'expected device.jwk, found none',
    });
  });

  test('rejects with the reason when it is aborted', async () => {
    server.on('/edge/notify', () => {});
    const stop = new AbortController();
    const posting = client().post('/edge/notify', {}, {}, stop.signal);
    setTimeout(() => stop.abort(new Error('SIGTERM')), 20);
    await expect(posting).rejects.toThrow('SIGTERM');
  });
});
