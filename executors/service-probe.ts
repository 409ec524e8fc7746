import { get } from 'node:http';
import { connect } from 'node:net';

/**
 * Whether something answers on a loopback port: null, or what was found instead. With a path a GET that must be answered
 * with 2xx or 3xx (the body is not read, a redirect not followed), without one a connection. Ends after `timeoutMs`.
 */
export function probePort(
  port: number,
  path: string | null,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<string | null> {
  const limit = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
  return new Promise((resolve) => {
    const fault = (error: NodeJS.ErrnoException) => {
      const late = limit.aborted && !signal.aborted;
      resolve(
        `${path === null ? '' : `GET ${path}: `}${late ? `no answer within ${timeoutMs} ms` : (error.code ?? error.message)}`,
      );
    };
    if (path === null) {
      const socket = connect({ host: '127.0.0.1', port });
      socket.once('connect', () => {
        socket.destroy();
        resolve(null);
      });
      socket.on('error', fault);
      const stop = () => socket.destroy(new Error('stopped'));
      if (limit.aborted) stop();
      else limit.addEventListener('abort', stop, { once: true });
      socket.once('close', () => limit.removeEventListener('abort', stop));
      return;
    }
    const request = get({ host: '127.0.0.1', port, path, agent: false, signal: limit }, (response) => {
      response.on('error', () => {});
      response.destroy();
      const { statusCode: code = 0 } = response;
      resolve(code >= 200 && code < 400 ? null : `GET ${path}: expected 2xx or 3xx, found ${code}`);
    });
    request.on('error', fault);
  });
}
