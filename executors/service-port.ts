import { createServer } from 'node:net';

/**
 * A loopback TCP port that nobody listens on now. Whoever is given it must be ready to find it taken: between this look and
 * its bind any program may take it.
 */
export function freeLoopbackPort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen({ host: '127.0.0.1', port: 0, exclusive: true }, () => {
      const address = server.address();
      server.close(() => {
        if (typeof address === 'object' && address !== null) resolve(address.port);
        else reject(new Error('expected the address of a listening socket'));
      });
    });
  });
}
