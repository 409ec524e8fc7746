import type { FastifyInstance } from 'fastify';
import { TUNNEL } from '../openapi/edge-operations.ts';
import { RequestRefused } from '../refusal.ts';
import { TUNNEL_PATH } from '../tunnel/address.ts';

/** What asks for the tunnel without an upgrade: a browser, or a proxy that took the header away. */
export function tunnelRoute() {
  return async (app: FastifyInstance) => {
    app.get(TUNNEL_PATH, TUNNEL.route, async () => {
      const message =
        'expected an upgrade to a WebSocket, found none; when an agent sees this, a proxy on the way does not pass upgrades on';
      throw new RequestRefused(426, 'upgrade_required', message, {
        upgrade: 'websocket',
        connection: 'upgrade',
      });
    });
  };
}
