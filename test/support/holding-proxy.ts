import type { AddressInfo } from 'node:net';
import { connect, createServer, type Socket } from 'node:net';

export interface HoldingProxy {
  readonly url: string;
  /** Where it leads, once that is known. */
  leadTo(port: number): void;
  /** What is asked arrives, and no answer comes back. */
  hold(on: boolean): void;
  [Symbol.asyncDispose](): Promise<void>;
}

/** A wire between an agent and its console on which answers can be lost. */
export async function startHoldingProxy(): Promise<HoldingProxy> {
  let port = 0;
  let held = false;
  const sockets = new Set<Socket>();
  const server = createServer((near) => {
    const far = connect(port, '127.0.0.1');
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => {
        sockets.delete(socket);
        near.destroy();
        far.destroy();
      });
    }
    near.on('data', (bytes) => void far.write(bytes));
    far.on('data', (bytes) => {
      if (!held) near.write(bytes);
    });
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    leadTo(to) {
      port = to;
    },
    hold(on) {
      held = on;
      // what was held back is lost for good
      if (!on) for (const socket of sockets) socket.destroy();
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => void server.close(resolve));
    },
  };
}
