import { once } from 'node:events';
import { createServer, type IncomingMessage, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pino } from 'pino';
import { expect, it } from 'vitest';
import { StoreBusy } from '../../console/store/busy.ts';
import { acceptTunnelUpgrades } from '../../console/tunnel/upgrade.ts';

it('an agent that comes while nothing can be written is told to come back, not that something is wrong', async () => {
  const server = createServer();
  acceptTunnelUpgrades(server, {
    callers: {
      tunnel: async () => {
        throw new StoreBusy('locked', 'expected to write within 10 s, found the database locked');
      },
    },
    gateway: { hasPlace: () => true, open: () => expect.unreachable('nobody was let in') },
    log: pino({ level: 'silent' }),
    now: () => new Date(),
    addressOf: () => '127.0.0.1',
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const headers = { connection: 'upgrade', upgrade: 'websocket' };
  const asked = request({ port, path: '/edge/tunnel', headers }).end();
  const [answer] = (await once(asked, 'response')) as [IncomingMessage];
  answer.resume();
  server.close();
  expect([answer.statusCode, answer.headers['retry-after']]).toEqual([503, '5']);
});
