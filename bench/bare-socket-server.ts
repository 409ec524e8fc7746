// What a WebSocket server costs that does nothing but keep its connections: the floor of `fleet`. Speaks as fleet-console.ts does.
import type { AddressInfo } from 'node:net';
import { createInterface } from 'node:readline';
import { WebSocketServer } from 'ws';

const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: false });
await new Promise((resolve) => server.once('listening', resolve));
const heartbeat = JSON.stringify({
  specversion: '1.0',
  type: 'edgeflows.heartbeat',
  id: '0',
  source: '/console',
  data: {},
});
server.on('connection', (socket) => socket.on('message', () => {}));
setInterval(() => {
  for (const socket of server.clients) socket.send(heartbeat);
}, 30_000);
process.stdout.write(
  `${JSON.stringify({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` })}\n`,
);
const lines = createInterface(process.stdin);
lines.on('line', () => {
  globalThis.gc?.();
  const { user, system } = process.cpuUsage();
  process.stdout.write(
    `${JSON.stringify({ rss: process.memoryUsage().rss, cpuMs: (user + system) / 1_000 })}\n`,
  );
});
lines.once('close', () => process.exit(0));
