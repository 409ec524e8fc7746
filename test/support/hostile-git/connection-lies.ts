import type { Lie } from '../hostile-git-server.ts';

/** Below HTTP: connections that fail. */
export const CONNECTION_LIES: readonly Lie[] = [
  {
    what: 'closes every connection at once',
    exit: 5,
    code: 'network',
    connect: (socket) => socket.end() !== null,
  },
  {
    what: 'resets every connection',
    exit: 5,
    code: 'network',
    connect: (socket) => socket.resetAndDestroy() !== null,
  },
  {
    what: 'closes every connection after the question',
    exit: 5,
    code: 'network',
    tell: async (exchange) => exchange.raw('').destroy() !== null,
  },
  {
    what: 'closes its half of the connection before it was asked',
    exit: 5,
    code: 'network',
    connect(socket) {
      socket.end();
      socket.resume();
      return true;
    },
  },
  {
    what: 'speaks another protocol',
    exit: 5,
    code: 'source_malformed',
    says: /expected an HTTP answer/,
    connect(socket) {
      socket.end('SSH-2.0-OpenSSH_9.9\r\n');
      return true;
    },
  },
  {
    what: 'sends noise for as long as it is read',
    exit: 5,
    code: 'source_malformed',
    connect(socket) {
      const noise = Buffer.alloc(65_536, '\u0000\u00ff\u001b[2J', 'latin1');
      const send = () => {
        if (socket.destroyed) return;
        if (socket.write(noise)) setImmediate(send);
        else socket.once('drain', send);
      };
      socket.resume();
      send();
      return true;
    },
  },
];
