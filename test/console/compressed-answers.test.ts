import { gzipSync } from 'node:zlib';
import Fastify from 'fastify';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { z } from 'zod';
import { compressAnswers } from '../../console/compressed-answers.ts';
import { operation } from '../../console/openapi/operation.ts';
import { type RunningConsole, startConsole } from './running-console.ts';

let running: RunningConsole;
beforeAll(async () => {
  running = await startConsole();
});
afterAll(async () => running[Symbol.asyncDispose]());

const read = async (path: string, accept: string) => {
  const answer = await fetch(running.url + path, {
    headers: { 'accept-encoding': accept, 'x-api-key': running.apiKey },
  });
  const { headers } = answer;
  return { encoding: headers.get('content-encoding'), vary: headers.get('vary'), text: await answer.text() };
};

it('long answers are compressed for who takes that, and say so to caches', async () => {
  const plain = await read('/api/openapi.json', 'identity');
  expect(plain.encoding).toBeNull();
  expect(plain.text.length).toBeGreaterThan(10_000);
  for (const encoding of ['br', 'gzip']) {
    expect(await read('/api/openapi.json', encoding)).toEqual({
      encoding,
      vary: 'accept-encoding',
      text: plain.text,
    });
  }
  expect((await read('/api/docs/swagger-ui-bundle.js', 'br')).encoding).toBe('br');
});

it('short answers, and what is no answer of the API, are sent as they are', async () => {
  expect((await read('/api/tenants', 'br')).encoding).toBeNull();
  expect((await read('/healthz', 'br')).encoding).toBeNull();
});

it('nothing that is sent here is inflated', async () => {
  const answer = await fetch(`${running.url}/api/session`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'content-encoding': 'gzip' },
    body: gzipSync(JSON.stringify({ login: 'ada', password: 'x'.repeat(500) })),
  });
  expect([answer.status, ((await answer.json()) as { error: { code: string } }).error.code]).toEqual([
    400,
    'body_malformed',
  ]);
});

it('the answer with the token against forged requests is never compressed, however long', async () => {
  const app = Fastify();
  compressAnswers(app);
  const { route } = operation({
    summary: 'x',
    tags: ['agents'],
    role: 'viewer',
    answers: { 200: z.object({ long: z.string() }) },
  });
  void app.register(async (routes) => {
    for (const path of ['/api/session', '/api/agents'])
      routes.get(path, route, async () => ({ long: 'x'.repeat(5_000) }));
  });
  const encoding = async (url: string) =>
    (await app.inject({ url, headers: { 'accept-encoding': 'gzip' } })).headers['content-encoding'] ?? null;
  expect([await encoding('/api/agents'), await encoding('/api/session')]).toEqual(['gzip', null]);
  await app.close();
});
