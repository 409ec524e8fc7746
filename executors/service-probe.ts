import { get } from 'node:http';
import { connect } from 'node:net';

/**
 * Whether something answers on a loopback port: null, or what was found instead. With a path a GET that must be answered
 * with 2xx or 3xx (the body is not read, a redirect not followed), without one a connection. Ends after `timeoutMs`.
 */
export async function probePort(
  port: number,
  path: string | null,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<string | null> {
  const prefix = path === null ? '' : `GET ${path}: `;
  if (signal.aborted) return `${prefix}stopped`;
  // One of its own, given up at the end: a service is asked for months under one and the same signal.
  const limit = new AbortController();
  const timer = setTimeout(() => limit.abort(), timeoutMs);
  const stop = () => limit.abort();
  signal.addEventListener('abort', stop, { once: true });
  try {
    const found = await (path === null ? connection(port, limit.signal) : answer(port, path, limit.signal));
    if (found === null) return null;
    if (limit.signal.aborted && !signal.aborted) return `${prefix}no answer within ${timeoutMs} ms`;
    return `${prefix}${found}`;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', stop);
  }
}

function connection(port: number, limit: AbortSignal): Promise<string | null> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    socket.once('connect', () => {
      socket.destroy();
      resolve(null);
    });
    socket.on('error', (error) => resolve(sentence(error, port)));
    limit.addEventListener('abort', () => socket.destroy(new Error('stopped')), { once: true });
  });
}

function answer(port: number, path: string, limit: AbortSignal): Promise<string | null> {
  return new Promise((resolve) => {
    try {
      const request = get({ host: '127.0.0.1', port, path, agent: false, signal: limit }, (response) => {
        response.on('error', () => {});
        response.destroy();
        const { statusCode: code = 0 } = response;
        resolve(code >= 200 && code < 400 ? null : `expected 2xx or 3xx, found ${code}`);
      });
      request.on('error', (error) => resolve(sentence(error, port)));
    } catch (error) {
      // A path that cannot be asked for, of a version that was taken before manifests refused it.
      resolve(sentence(error as Error, port));
    }
  });
}

function sentence(error: NodeJS.ErrnoException, port: number): string {
  if (error.code === 'ECONNREFUSED')
    return `nothing listens on 127.0.0.1:${port}; listen on the port of the variable PORT`;
  return error.code ?? error.message;
}
