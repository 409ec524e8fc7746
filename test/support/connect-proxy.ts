import { createServer, request as forward } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';

export interface ConnectProxy {
  readonly url: string;
  /** `CONNECT host:port` and `GET http://…`, in order. */
  readonly asked: string[];
  [Symbol.asyncDispose](): Promise<void>;
}

/** A real HTTP proxy on loopback. Every host name leads to 127.0.0.1, so that tests can use names that are not loopback. */
export async function startConnectProxy(): Promise<ConnectProxy> {
  const asked: string[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    const url = new URL(request.url as string);
    const options = {
      host: '127.0.0.1',
      port: url.port,
      path: url.pathname,
      method: request.method,
      headers: request.headers,
    };
    request.pipe(
      forward(options, (answer) => {
        response.writeHead(answer.statusCode as number, answer.headers);
        answer.pipe(response);
      }),
    );
  });
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  server.on('connect', (request, client: Socket, head) => {
    asked.push(`CONNECT ${request.url}`);
    const upstream = connect(Number((request.url as string).split(':')[1]), '127.0.0.1', () => {
      client.write('HTTP/1.1 200 Connection Established\r\n\r\n');
      upstream.write(head);
      upstream.pipe(client).pipe(upstream);
    });
    sockets.add(upstream);
    upstream.on('error', () => client.destroy());
    client.on('error', () => upstream.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
