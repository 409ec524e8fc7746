import type { Socket } from 'node:net';
import { createSecureContext, type SecureContext, type SecureContextOptions, TLSSocket } from 'node:tls';
import type { Lie, Secure } from '../hostile-git-server.ts';
import { at } from './telling.ts';

export interface KeyPair {
  readonly key: string;
  readonly cert: string;
}

/** The honest one, and those that somebody else would have. */
export interface Certificates {
  readonly honest: KeyPair;
  /** For the right name, believed by nobody. */
  readonly stranger: KeyPair;
  /** Believed, for another host. */
  readonly otherHost: KeyPair;
  /** Believed, for the right name, until yesterday. */
  readonly expired: KeyPair;
}

/** Speaks TLS with the honest certificate until a lie takes the connection. */
export function speakingTls(certificates: Certificates): Secure {
  const context = createSecureContext(certificates.honest);
  return (socket) => secured(socket, context);
}

function secured(socket: Socket, secureContext: SecureContext): TLSSocket {
  const stream = new TLSSocket(socket, { isServer: true, secureContext });
  stream.on('error', () => socket.destroy());
  return stream;
}

/** In the way the connection is secured. `plain` is an address of the same host without TLS. */
export function tlsLies(certificates: Certificates, plain: () => string): readonly Lie[] {
  const presenting = (options: SecureContextOptions): NonNullable<Lie['connect']> => {
    const context = createSecureContext(options);
    return (socket) => {
      secured(socket, context).resume();
      return true;
    };
  };
  /** The first connection is as it should be, and is not kept. */
  const changing = (): Pick<Lie, 'connect' | 'tell'> => {
    let connections = 0;
    const present = presenting(certificates.stranger);
    return {
      connect: (socket) => {
        connections += 1;
        return connections > 1 && present(socket);
      },
      async tell(exchange) {
        const answer = await exchange.honest();
        exchange.answer({ ...answer, headers: { ...answer.headers, connection: 'close' } });
        return true;
      },
    };
  };
  const network = { exit: 5, code: 'network' } as const;
  return [
    {
      what: 'has a certificate that nobody vouches for',
      ...network,
      says: /certificate to believe/,
      connect: presenting(certificates.stranger),
    },
    {
      what: 'has the certificate of another host',
      ...network,
      says: /certificate to believe/,
      connect: presenting(certificates.otherHost),
    },
    {
      what: 'has a certificate of yesterday',
      ...network,
      says: /certificate to believe/,
      connect: presenting(certificates.expired),
    },
    {
      what: 'has another certificate at the second connection',
      ...network,
      says: /certificate to believe/,
      ...changing(),
    },
    {
      what: 'speaks TLS of 2006 only',
      ...network,
      connect: presenting({
        ...certificates.honest,
        maxVersion: 'TLSv1.1',
        minVersion: 'TLSv1',
        ciphers: 'DEFAULT@SECLEVEL=0',
      }),
    },
    {
      what: 'speaks no TLS',
      ...network,
      connect(socket) {
        socket.end('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n');
        return true;
      },
    },
    {
      what: 'ends in the middle of the handshake',
      ...network,
      connect(socket) {
        socket.once('data', () => socket.end(Buffer.from([22, 3, 3, 0, 200, 2])));
        return true;
      },
    },
    {
      what: 'redirects from TLS to plain text',
      exit: 5,
      code: 'redirect_refused',
      tell: at(['capabilities', 'branch'], (exchange) =>
        exchange.answer({ status: 307, headers: { location: `${plain()}${exchange.path}` } }),
      ),
    },
  ];
}
