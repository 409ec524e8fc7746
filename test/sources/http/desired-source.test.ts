import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createHttpSource } from '../../../sources/http/http-source.ts';
import { createSystemClock } from '../../../system/clock.ts';
import { createHttpClient } from '../../../system/http-client.ts';
import { desiredSourceContract } from '../../contract/desired-source.ts';
import { answering, serving, startHttpServer } from '../../support/http-server.ts';

desiredSourceContract('raw files over HTTP', async ({ timeoutMs }) => {
  const server = await startHttpServer();
  const client = createHttpClient({ userAgent: 'edge-agent/test', environment: {} });
  const stateDirectory = await mkdtemp(join(tmpdir(), 'http-source-'));
  let published: Readonly<Record<string, string>> = {};
  server.on('*', (request, response) => {
    const path = (request.url as string).replace('/raw/tenant/acme/', '');
    const text = published[path];
    const etag = `"${Buffer.from(text ?? '').toString('base64url')}"`;
    const handler = text === undefined ? answering(404) : serving(Buffer.from(text), etag);
    handler(request, response);
  });
  return {
    source: createHttpSource({
      baseUrl: server.origin,
      slug: 'acme',
      client,
      stateDirectory,
      timeoutMs,
      authorization: async () => null,
      knownRootVersion: () => 1,
      clock: createSystemClock(),
    }),
    stateDirectory,
    async publish(files) {
      published = files;
    },
    requests: () => server.requests.length,
    fail: (how) => server.on('*', how === 'silent' ? () => {} : answering(how)),
    stop: () => server[Symbol.asyncDispose](),
    async [Symbol.asyncDispose]() {
      client.close();
      await server[Symbol.asyncDispose]();
      await rm(stateDirectory, { recursive: true, force: true });
    },
  };
});
