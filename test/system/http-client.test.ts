import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createHttpClient, type HttpClient, type HttpRequest } from '../../system/http-client.ts';
import { HttpError } from '../../system/http-error.ts';
import { makeCertificate } from '../support/certificate.ts';
import { startConnectProxy } from '../support/connect-proxy.ts';
import {
  answering,
  breakingOff,
  endless,
  type LoopbackServer,
  startHttpServer,
} from '../support/http-server.ts';

const userAgent = 'edge-agent/test';
let server: LoopbackServer;
let client: HttpClient;

beforeEach(async () => {
  server = await startHttpServer();
  client = createHttpClient({ userAgent, environment: {} });
});
afterEach(async () => {
  client.close();
  await server[Symbol.asyncDispose]();
});

function get(url: string, more: Partial<HttpRequest> = {}): HttpRequest {
  const signal = new AbortController().signal;
  return { method: 'GET', url, signal, deadlineMs: 5_000, maxBytes: 1_024 * 1_024, ...more };
}

async function failure(work: Promise<unknown>): Promise<HttpError> {
  const error = await work.then(
    () => new Error('it succeeded'),
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(HttpError);
  return error as HttpError;
}

describe('an answer that is none', () => {
  test('a change of protocol that nobody asked for ends the exchange at once, and the next one goes on', async () => {
    server.on('/a', (request) => {
      request.socket.write(
        'HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\nxxxx',
      );
    });
    server.on('/b', answering(200, 'honest'));
    const error = await failure(client.request(get(`${server.origin}/a`)));
    expect(error).toMatchObject({
      code: 'malformed',
      message: expect.stringContaining('change of protocol'),
    });
    expect(await (await client.request(get(`${server.origin}/b`))).text()).toBe('honest');
  });

  test.each([
    ['chunks whose sizes are no numbers', '5\r\nhello\r\nzz\r\n'],
    ['an extension of a chunk that is too long', `5;${'x'.repeat(40_000)}`],
    ['trailers that are too long', `0\r\n${`a: ${'x'.repeat(8_000)}\r\n`.repeat(8)}`],
  ])('%s are malformed, not a broken connection', async (_what, body) => {
    server.on('/a', (request) => {
      request.socket.end(`HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n${body}`);
    });
    const error = await failure(client.request(get(`${server.origin}/a`)).then((answer) => answer.bytes()));
    expect(error).toMatchObject({ code: 'malformed', message: expect.stringContaining('HTTP') });
  });

  test.each([
    ['a deadline', { deadlineMs: 300 }],
    ['a signal', { signal: AbortSignal.timeout(300) }],
  ])('%s that ends a body without a length is not taken for its end', async (_what, more) => {
    server.on('/a', (request) => {
      // HTTP/1.0: the body is over when the connection is, whoever closes it.
      request.socket.write('HTTP/1.0 200 OK\r\n\r\nhalf of it');
    });
    const answer = client.request(get(`${server.origin}/a`, more)).then((response) => response.text());
    await expect(answer).rejects.toThrow(/no end of it|timeout/);
  });

  test('words of the server reach no terminal as they are', async () => {
    server.on('/a', answering(200, 'x', { 'content-encoding': '\u009b2J\u009b31m' }));
    const error = await failure(client.request(get(`${server.origin}/a`)).then((answer) => answer.bytes()));
    expect(error.code).toBe('malformed');
    expect(error.message).not.toMatch(/[\u0080-\u009f]/);
  });
});

describe('an answer', () => {
  test('comes with its status, headers in any case, and body', async () => {
    server.on('/a', answering(201, '{"a":1}', { 'X-Thing': 'yes' }));
    const response = await client.request(get(`${server.origin}/a`));
    expect(response.status).toBe(201);
    expect(response.headers.get('x-THING')).toBe('yes');
    expect(response.headers.get('absent')).toBeNull();
    expect(await response.json()).toEqual({ a: 1 });
  });

  test('asks for no content encoding and names the agent', async () => {
    server.on('/a', answering(200));
    (await client.request(get(`${server.origin}/a`))).discard();
    expect(server.requests[0]?.headers).toMatchObject({
      'accept-encoding': 'identity',
      'user-agent': userAgent,
    });
  });

  test('keeps one connection for requests in turn', async () => {
    server.on('/a', answering(200, 'x'));
    for (let turn = 0; turn < 5; turn += 1) await (await client.request(get(`${server.origin}/a`))).bytes();
    expect(server.connections()).toBe(1);
  });

  test('keeps the connection when a short body is given up, and drops it when a long one is', async () => {
    server.on('/short', answering(200, 'x'.repeat(100)));
    server.on('/endless', endless(1_024, 5));
    (await client.request(get(`${server.origin}/short`))).discard();
    await new Promise((resolve) => setTimeout(resolve, 20));
    (await client.request(get(`${server.origin}/endless`))).discard();
    expect(server.connections()).toBe(1);
    await expect.poll(() => server.requests[1]?.status).toBe(200);
  });

  test('comes all the same when the server closed the idle connection meanwhile', async () => {
    server.on('/a', answering(200, 'x'));
    await (await client.request(get(`${server.origin}/a`))).bytes();
    server.cutConnections();
    const response = await client.request(get(`${server.origin}/a`));
    expect(await response.text()).toBe('x');
  });

  test('tells how far the server clock is from ours', async () => {
    const offsets: number[] = [];
    const clock = { now: () => new Date('2026-11-20T12:00:00Z') };
    using watching = closing(
      createHttpClient({ userAgent, environment: {}, clock, onClockOffset: (ms) => offsets.push(ms) }),
    );
    server.on('/a', answering(200, '', { date: 'Fri, 20 Nov 2026 12:01:00 GMT' }));
    (await watching.client.request(get(`${server.origin}/a`))).discard();
    expect(offsets).toEqual([60_500]);
  });

  test('sends a body with its length in bytes', async () => {
    let received = '';
    server.on('/a', (request, response) => {
      request.on('data', (chunk: Buffer) => {
        received += chunk.toString();
      });
      request.on('end', () => response.writeHead(204).end());
    });
    (await client.request(get(`${server.origin}/a`, { method: 'POST', body: 'é€' }))).discard();
    expect(received).toBe('é€');
    expect(server.requests[0]?.headers['content-length']).toBe('5');
  });
});

describe('a body that is read as it is sent', () => {
  const patch = (path: string, bytes: number, chunks: AsyncIterable<Uint8Array>) =>
    client.request(get(`${server.origin}${path}`, { method: 'PATCH', body: { bytes, chunks } }));
  async function* pieces(count: number, onMade: () => void = () => {}) {
    for (let n = 0; n < count; n += 1) {
      onMade();
      yield Buffer.alloc(64 * 1_024, n % 256);
    }
  }

  test('arrives in order and with its length', async () => {
    const received: Buffer[] = [];
    server.on('/take', (request, response) => {
      request.on('data', (chunk: Buffer) => received.push(chunk));
      request.on('end', () => response.writeHead(204).end());
    });
    const response = await patch('/take', 20 * 64 * 1_024, pieces(20));
    expect(response.status).toBe(204);
    expect(server.requests[0]).toMatchObject({ method: 'PATCH', headers: { 'content-length': '1310720' } });
    const sent: Buffer[] = [];
    for await (const piece of pieces(20)) sent.push(piece);
    expect(Buffer.concat(received).equals(Buffer.concat(sent))).toBe(true);
  });

  test('is not read ahead of who takes it', async () => {
    let made = 0;
    const taking = Promise.withResolvers<void>();
    server.on('/slow', (request, response) => {
      void taking.promise.then(() => request.resume());
      request.on('end', () => response.writeHead(204).end());
    });
    const count = 1_600;
    const sending = patch(
      '/slow',
      count * 64 * 1_024,
      pieces(count, () => {
        made += 1;
      }),
    );
    await new Promise((resolve) => setTimeout(resolve, 300));
    // 100 MB are to be sent; the kernel's buffers hold some of it.
    expect(made).toBeLessThan(count / 2);
    taking.resolve();
    expect((await sending).status).toBe(204);
    expect(made).toBe(count);
  });

  test('is given up when the answer comes before its end', async () => {
    server.on('/refuse', (_request, response) => {
      response.writeHead(413, { connection: 'close' }).end('too much');
    });
    const response = await patch('/refuse', 4 * 64 * 1_024, pieces(4));
    expect([response.status, await response.text()]).toEqual([413, 'too much']);
  });

  test('fails the exchange when it cannot be read', async () => {
    server.on('/take', (request, response) => {
      request.resume();
      request.on('end', () => response.writeHead(204).end());
    });
    async function* broken() {
      yield Buffer.alloc(1_000);
      throw new Error('the file is gone');
    }
    expect((await failure(patch('/take', 2_000, broken()))).message).toContain('the file is gone');
  });
});

describe('a failure', () => {
  test('is too_large as soon as the cap is passed, of an answer without end', async () => {
    server.on('/a', endless(64 * 1_024, 0));
    const response = await client.request(get(`${server.origin}/a`, { maxBytes: 200_000 }));
    let bytes = 0;
    const reading = async () => {
      for await (const chunk of response.body) bytes += chunk.byteLength;
    };
    expect(await failure(reading())).toMatchObject({ code: 'too_large' });
    expect(bytes).toBeLessThanOrEqual(200_000);
  });

  test('is too_large for a reader with a smaller cap of its own', async () => {
    server.on('/a', answering(200, 'x'.repeat(2_000)));
    const response = await client.request(get(`${server.origin}/a`));
    expect(await failure(response.text(1_000))).toMatchObject({ code: 'too_large' });
  });

  test('is stalled when bytes only trickle', async () => {
    server.on('/a', endless(1, 10));
    const stallFloor = { bytesPerSecond: 1_024, overMs: 250 };
    const response = await client.request(get(`${server.origin}/a`, { stallFloor }));
    expect(await failure(response.bytes())).toMatchObject({ code: 'stalled' });
  });

  test('is stalled when no byte comes at all', async () => {
    server.on('/a', (_request, answer) => answer.writeHead(200).flushHeaders());
    const stallFloor = { bytesPerSecond: 1_024, overMs: 150 };
    const response = await client.request(get(`${server.origin}/a`, { stallFloor }));
    expect(await failure(response.bytes())).toMatchObject({ code: 'stalled' });
  });

  test('is not stalled when only the reader is slow', async () => {
    server.on('/a', answering(200, Buffer.alloc(300_000)));
    const stallFloor = { bytesPerSecond: 1_000_000, overMs: 50 };
    const response = await client.request(get(`${server.origin}/a`, { stallFloor }));
    let bytes = 0;
    for await (const chunk of response.body) {
      bytes += chunk.byteLength;
      await new Promise((resolve) => setTimeout(resolve, 40));
    }
    expect(bytes).toBe(300_000);
  });

  test('is a timeout when the answer has not ended by the deadline, before the headers or after', async () => {
    server.on('/silent', () => {});
    server.on('/slow', endless(2_048, 5));
    expect(await failure(client.request(get(`${server.origin}/silent`, { deadlineMs: 100 })))).toMatchObject({
      code: 'timeout',
    });
    const response = await client.request(get(`${server.origin}/slow`, { deadlineMs: 150 }));
    expect(await failure(response.bytes())).toMatchObject({ code: 'timeout' });
  });

  test('is the reason of the signal when it is aborted, before and during', async () => {
    const reason = new Error('stop');
    const asked = client.request(get(`${server.origin}/a`, { signal: AbortSignal.abort(reason) }));
    await expect(asked).rejects.toBe(reason);
    server.on('/slow', endless(10, 5));
    const controller = new AbortController();
    const response = await client.request(get(`${server.origin}/slow`, { signal: controller.signal }));
    setTimeout(() => controller.abort(reason), 30);
    await expect(response.bytes()).rejects.toBe(reason);
  });

  test('is network when nobody listens and when the connection breaks off', async () => {
    const { origin } = server;
    await server[Symbol.asyncDispose]();
    const error = await failure(client.request(get(`${origin}/a?X-Amz-Signature=secret`)));
    expect(error).toMatchObject({ code: 'network' });
    expect(error.message).toContain(`GET ${origin}/a`);
    expect(error.message).not.toContain('secret');
    server = await startHttpServer();
    server.on('/cut', breakingOff(Buffer.alloc(1_000), 500));
    const response = await client.request(get(`${server.origin}/cut`));
    expect(await failure(response.bytes())).toMatchObject({ code: 'network' });
  });

  test('is malformed for an encoding nobody asked for and for JSON that is none', async () => {
    server.on('/gzip', answering(200, gzipSync('{}'), { 'content-encoding': 'gzip' }));
    server.on('/html', answering(200, '<html>'));
    expect(await failure((await client.request(get(`${server.origin}/gzip`))).json())).toMatchObject({
      code: 'malformed',
      message: expect.stringContaining('gzip'),
    });
    expect(await failure((await client.request(get(`${server.origin}/html`))).json())).toMatchObject({
      code: 'malformed',
    });
  });
});

describe('TLS', () => {
  test('believes a private certificate only when ca_file brings it', async () => {
    using certificate = makeCertificate();
    await using secure = await startHttpServer(certificate);
    secure.on('/a', answering(200, 'x'));
    expect(await failure(client.request(get(`${secure.origin}/a`)))).toMatchObject({
      code: 'tls',
      message: expect.stringContaining('network.ca_file'),
    });
    using believing = closing(createHttpClient({ userAgent, caFile: certificate.caFile, environment: {} }));
    expect(await (await believing.client.request(get(`${secure.origin}/a`))).text()).toBe('x');
  });

  test('says which file to correct when ca_file is missing or holds no certificate', async () => {
    for (const caFile of ['/nowhere/ca.pem', import.meta.filename]) {
      using lost = closing(createHttpClient({ userAgent, caFile, environment: {} }));
      expect(await failure(lost.client.request(get('https://localhost:1/a')))).toMatchObject({
        code: 'tls',
        message: expect.stringContaining(caFile),
      });
    }
  });

  test('does not believe a certificate for another name', async () => {
    using certificate = makeCertificate();
    await using secure = await startHttpServer(certificate);
    await using proxy = await startConnectProxy();
    const environment = { HTTPS_PROXY: proxy.url };
    using believing = closing(createHttpClient({ userAgent, caFile: certificate.caFile, environment }));
    const wrongName = `https://other.test:${secure.port}/a`;
    expect(await failure(believing.client.request(get(wrongName)))).toMatchObject({ code: 'tls' });
  });
});

describe('a proxy of the environment', () => {
  test('tunnels https to a host elsewhere, checks its certificate, and is spared by NO_PROXY', async () => {
    using certificate = makeCertificate('bundles.test');
    await using secure = await startHttpServer(certificate);
    await using proxy = await startConnectProxy();
    secure.on('/a', answering(200, 'through'));
    const environment = { HTTPS_PROXY: proxy.url };
    using proxied = closing(createHttpClient({ userAgent, caFile: certificate.caFile, environment }));
    const url = `https://bundles.test:${secure.port}/a`;
    expect(await (await proxied.client.request(get(url))).text()).toBe('through');
    expect(proxy.asked).toEqual([`CONNECT bundles.test:${secure.port}`]);
    using doubting = closing(createHttpClient({ userAgent, environment }));
    expect(await failure(doubting.client.request(get(url)))).toMatchObject({ code: 'tls' });
    const spared = { ...environment, NO_PROXY: 'bundles.test' };
    using direct = closing(createHttpClient({ userAgent, environment: spared }));
    expect(await failure(direct.client.request(get(url)))).toMatchObject({ code: 'network' });
  });

  test('that is no URL, is down or refuses to tunnel is a network failure', async () => {
    await using refusing = await startHttpServer();
    const { port } = await startConnectProxy().then(async (gone) => {
      await gone[Symbol.asyncDispose]();
      return new URL(gone.url);
    });
    for (const proxy of ['no url', `http://127.0.0.1:${port}`, refusing.origin]) {
      using proxied = closing(
        createHttpClient({ userAgent, environment: { HTTP_PROXY: proxy, HTTPS_PROXY: proxy } }),
      );
      const error = await failure(proxied.client.request(get('https://bundles.test/a')));
      expect(['network', 'tls']).toContain(error.code);
      expect(error.message).toContain('proxy');
    }
  });

  test('is not used for loopback, while network.proxy is', async () => {
    await using proxy = await startConnectProxy();
    server.on('/a', answering(200, 'x'));
    using fromEnvironment = closing(createHttpClient({ userAgent, environment: { HTTP_PROXY: proxy.url } }));
    await (await fromEnvironment.client.request(get(`${server.origin}/a`))).text();
    expect(proxy.asked).toEqual([]);
    using configured = closing(createHttpClient({ userAgent, proxy: proxy.url, environment: {} }));
    expect(await (await configured.client.request(get(`${server.origin}/a`))).text()).toBe('x');
    expect(proxy.asked).toEqual([`GET ${server.origin}/a`]);
  });
});

function closing(made: HttpClient) {
  return { client: made, [Symbol.dispose]: () => made.close() };
}
