import { afterEach, beforeEach, expect, test } from 'vitest';
import { createBranchCheck } from '../../sources/branch-check.ts';
import { createHttpClient, type HttpClient } from '../../system/http-client.ts';
import { answering, type LoopbackServer, redirecting, startHttpServer } from '../support/http-server.ts';

const { signal } = new AbortController();
let server: LoopbackServer;
let client: HttpClient;

beforeEach(async () => {
  server = await startHttpServer();
  client = createHttpClient({ userAgent: 'edge-agent/test', environment: {} });
});
afterEach(async () => {
  client.close();
  await server[Symbol.asyncDispose]();
});

const check = (authorize: (method: string, url: string) => Promise<string | null> = async () => null) =>
  createBranchCheck({ client, saasUrl: `${server.origin}/saas/`, authorize });

test.each([
  [200, 'exists'],
  [404, 'missing'],
  [500, 'unknown'],
  [401, 'unknown'],
  [204, 'unknown'],
])('status %i means %s', async (status, expected) => {
  server.on('/saas/api/branch-exists', answering(status, '{}'));
  expect(await check().exists('acme', signal)).toBe(expected);
});

test('asks for the branch by name, authorised for exactly this call', async () => {
  server.on('/saas/api/branch-exists', answering(200));
  const asked: string[] = [];
  await check(async (method, url) => {
    asked.push(`${method} ${url}`);
    return 'Bearer jwt';
  }).exists('acme', signal);
  expect(server.requests[0]?.path).toBe('/saas/api/branch-exists?name=tenant/acme');
  expect(server.requests[0]?.headers.authorization).toBe('Bearer jwt');
  expect(asked).toEqual([`GET ${server.origin}/saas/api/branch-exists?name=tenant/acme`]);
});

test('believes no redirect and no silence', async () => {
  server.on('/saas/api/branch-exists', redirecting('/elsewhere'));
  server.on('/elsewhere', answering(404));
  expect(await check().exists('acme', signal)).toBe('unknown');
  await server[Symbol.asyncDispose]();
  expect(await check().exists('acme', signal)).toBe('unknown');
  server = await startHttpServer();
});

test('rejects with the reason of the signal', async () => {
  server.on('/saas/api/branch-exists', () => {});
  const reason = new Error('stop');
  const controller = new AbortController();
  setTimeout(() => controller.abort(reason), 20);
  await expect(check().exists('acme', controller.signal)).rejects.toBe(reason);
});
