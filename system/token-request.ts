import type { HttpClient, HttpRequest, HttpResponse } from './http-client.ts';

/** Verifiers allow a minute: a token made further off than this was refused for its time. */
const TOLERATED_MS = 30_000;

/**
 * A request with a token that says when it was made. Where the answer is 401 and its `Date` shows that the clock here is wrong, the
 * client has told by how much, so the token is made once more and the request repeated: a wrong clock locks nobody out. A
 * body that is streamed is sent once only.
 */
export async function requestWithToken(
  client: HttpClient,
  request: Omit<HttpRequest, 'headers'> & { readonly headers?: Readonly<Record<string, string>> },
  authorize: () => Promise<string | null>,
): Promise<HttpResponse> {
  const send = async () => {
    const authorization = await authorize();
    const headers = { ...request.headers, ...(authorization === null ? {} : { authorization }) };
    return { authorization, response: await client.request({ ...request, headers }) };
  };
  const { authorization, response } = await send();
  const repeatable = !(typeof request.body === 'object' && 'chunks' in request.body);
  if (response.status !== 401 || !repeatable || !madeAtAnotherTime(authorization, response)) return response;
  response.discard();
  return (await send()).response;
}

function madeAtAnotherTime(authorization: string | null, response: HttpResponse): boolean {
  const serverMs = Date.parse(response.headers.get('date') ?? '');
  const madeMs = issuedAtMs(authorization);
  return madeMs !== null && Math.abs(serverMs - madeMs) > TOLERATED_MS;
}

/** `iat` of `Bearer <JWT>`; null when it has none. */
function issuedAtMs(authorization: string | null): number | null {
  try {
    const payload = authorization?.split('.')[1] ?? '';
    const { iat } = JSON.parse(Buffer.from(payload, 'base64url').toString('utf8')) as { iat?: unknown };
    return typeof iat === 'number' ? iat * 1_000 : null;
  } catch {
    return null;
  }
}
