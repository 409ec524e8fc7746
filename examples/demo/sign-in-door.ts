import { randomBytes, timingSafeEqual } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

const SIGN_IN_TIMEOUT_MS = 15_000;

/** A person of the console. */
export interface Person {
  readonly login: string;
  readonly password: string;
}

/**
 * An address on loopback that signs a browser in, once, and sends it to the console: cookies are of a host, whatever the port
 * (RFC 6265, 8.5). Afterwards, and with a wrong code, it only sends there. `cleanup` closes it.
 */
export async function openSignInDoor(
  consoleUrl: string,
  { login, password }: Person,
  cleanup: AsyncDisposableStack,
): Promise<string> {
  const code = Buffer.from(`/${randomBytes(12).toString('base64url')}`);
  let used = false;
  const cookiesFor = async (method: string | undefined, path: string): Promise<string[]> => {
    const given = Buffer.from(path);
    const right = given.length === code.length && timingSafeEqual(given, code);
    // Not HEAD: what looks at an address before a person does must not use it up.
    if (!right || used || method !== 'GET') return [];
    used = true;
    const answer = await fetch(`${consoleUrl}/api/session`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ login, password }),
      signal: AbortSignal.timeout(SIGN_IN_TIMEOUT_MS),
    });
    await answer.body?.cancel();
    used = answer.ok;
    return answer.headers.getSetCookie();
  };
  const server = createServer((request, response) => {
    const enter = async () => {
      const cookies = await cookiesFor(request.method, request.url ?? '/').catch(() => []);
      if (cookies.length > 0) response.setHeader('set-cookie', cookies);
      const headers = { location: `${consoleUrl}/`, 'cache-control': 'no-store', connection: 'close' };
      response.writeHead(303, headers).end();
    };
    void enter();
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  cleanup.defer(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}${code.toString()}`;
}
