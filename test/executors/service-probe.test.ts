import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { freeLoopbackPort } from '../../executors/service-port.ts';
import { probePort } from '../../executors/service-probe.ts';

const never = new AbortController().signal;
const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

/** Answers with the code that the path names; `/silent` never. */
async function listening(): Promise<number> {
  const server = createServer((request, response) => {
    if (request.url === '/silent') return;
    response.writeHead(Number(request.url?.slice(1)), { location: 'http://127.0.0.1:1/' });
    response.write('x'.repeat(100_000));
    response.end();
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

it.each([
  ['/200', null],
  ['/204', null],
  ['/302', null],
  ['/404', 'GET /404: expected 2xx or 3xx, found 404'],
  ['/503', 'GET /503: expected 2xx or 3xx, found 503'],
])('an answer to %s is %s', async (path, found) => {
  expect(await probePort(await listening(), path, 10_000, never)).toBe(found);
});

it('waits no longer than it may for an answer', async () => {
  expect(await probePort(await listening(), '/silent', 50, never)).toBe(
    'GET /silent: no answer within 50 ms',
  );
});

it('takes a connection where no path is named', async () => {
  expect(await probePort(await listening(), null, 10_000, never)).toBeNull();
});

it('says where nothing listens and how the port is given, with a path or without', async () => {
  const port = await freeLoopbackPort();
  const nothing = `nothing listens on 127.0.0.1:${port}; listen on the port of the variable PORT`;
  expect(await probePort(port, null, 10_000, never)).toBe(nothing);
  expect(await probePort(port, '/200', 10_000, never)).toBe(`GET /200: ${nothing}`);
});

it.each(['/a b', '/日本'])('says so when %s cannot be asked for', async (path) => {
  expect(await probePort(await listening(), path, 10_000, never)).toBe(
    `GET ${path}: ERR_UNESCAPED_CHARACTERS`,
  );
});

it('ends when it is not wanted any more', async () => {
  const port = await listening();
  const stopped = new AbortController();
  const asked = probePort(port, '/silent', 60_000, stopped.signal);
  stopped.abort();
  expect(await asked).toMatch(/^GET \/silent: /);
  expect(await probePort(port, '/200', 60_000, stopped.signal)).toBe('GET /200: stopped');
});
