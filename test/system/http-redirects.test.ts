import { afterEach, beforeEach, expect, test } from 'vitest';
import { createHttpClient, type HttpClient } from '../../system/http-client.ts';
import { followRedirects, type RedirectPolicy } from '../../system/http-redirects.ts';
import { answering, type LoopbackServer, redirecting, startHttpServer } from '../support/http-server.ts';

let first: LoopbackServer;
let second: LoopbackServer;
let client: HttpClient;

beforeEach(async () => {
  [first, second] = await Promise.all([startHttpServer(), startHttpServer()]);
  client = createHttpClient({ userAgent: 'edge-agent/test', environment: {} });
});
afterEach(async () => {
  client.close();
  await Promise.all([first[Symbol.asyncDispose](), second[Symbol.asyncDispose]()]);
});

function follow(url: string, policy: Partial<RedirectPolicy<string>> = {}) {
  const headers = { authorization: 'Basic secret', Cookie: 'c', range: 'bytes=1-' };
  const signal = new AbortController().signal;
  const request = { method: 'GET', url, headers, signal, deadlineMs: 2_000, maxBytes: 1_000 } as const;
  return followRedirects(client, request, { allows: () => null, sameOriginOnly: false, ...policy });
}

test('follows within the origin with the credentials it was given', async () => {
  first.on('/a', redirecting('b'));
  first.on('/b', answering(200, 'here'));
  const outcome = await follow(`${first.origin}/a`, { sameOriginOnly: true });
  expect(outcome).toMatchObject({ kind: 'answered' });
  expect(outcome.kind === 'answered' && (await outcome.response.text())).toBe('here');
  expect(first.requests[1]?.headers.authorization).toBe('Basic secret');
});

test('drops credentials at another origin, and does not take them up again on the way back', async () => {
  first.on('/a', redirecting(`${second.origin}/b`));
  second.on('/b', redirecting(`${first.origin}/c`, 307));
  first.on('/c', answering(200));
  const asked: string[] = [];
  const authorize = async (url: URL) => {
    asked.push(url.pathname);
    return { 'x-signature': 'secret' };
  };
  expect(await follow(`${first.origin}/a`, { authorize })).toMatchObject({ kind: 'answered' });
  expect(asked).toEqual(['/a']);
  for (const { headers } of [second.requests[0], first.requests[1]] as { headers: object }[]) {
    expect(headers).toMatchObject({ range: 'bytes=1-' });
    for (const name of ['authorization', 'cookie', 'x-signature']) expect(headers).not.toHaveProperty(name);
  }
});

test('refuses another origin when only the same one is meant, and never calls it', async () => {
  first.on('/a', redirecting(`${second.origin}/b`));
  const outcome = await follow(`${first.origin}/a`, { sameOriginOnly: true });
  expect(outcome).toMatchObject({
    kind: 'redirect_refused',
    message: expect.stringContaining(second.origin),
  });
  expect(second.requests).toEqual([]);
});

test('asks the policy before every hop, the first one too', async () => {
  first.on('/a', redirecting('/forbidden'));
  const allows = (url: URL) => (url.pathname === '/forbidden' ? 'not that' : null);
  expect(await follow(`${first.origin}/a`, { allows })).toEqual({ kind: 'not_allowed', refusal: 'not that' });
  expect(await follow(`${first.origin}/forbidden`, { allows })).toEqual({
    kind: 'not_allowed',
    refusal: 'not that',
  });
  expect(first.requests.map(({ path }) => path)).toEqual(['/a']);
});

test.each(['file:///etc/passwd', 's3://bucket/key', 'ftp://127.0.0.1/x'])(
  'refuses to go on to %s',
  async (to) => {
    first.on('/a', redirecting(to));
    expect(await follow(`${first.origin}/a`)).toMatchObject({ kind: 'redirect_refused' });
  },
);

test('refuses user info in a redirect without repeating it', async () => {
  first.on('/a', redirecting(`http://user:hunter2@127.0.0.1:${second.port}/b`));
  const outcome = await follow(`${first.origin}/a`);
  expect(outcome).toMatchObject({ kind: 'redirect_refused' });
  expect(JSON.stringify(outcome)).not.toContain('hunter2');
});

test('gives up after five redirects', async () => {
  first.on('/a', redirecting('/a'));
  expect(await follow(`${first.origin}/a`)).toMatchObject({ kind: 'redirect_refused' });
  expect(first.requests).toHaveLength(6);
});
