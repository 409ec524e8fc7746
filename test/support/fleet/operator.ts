/** One call of an operator's program; throws on every answer that is not 2xx. */
export async function ask<T = unknown>(
  console: { readonly url: string; readonly apiKey?: string },
  method: string,
  path: string,
  body?: unknown,
): Promise<T> {
  const answer = await fetch(new URL(path, console.url), {
    method,
    headers: {
      ...(console.apiKey === undefined ? {} : { 'x-api-key': console.apiKey }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  if (answer.ok) return (await answer.json()) as T;
  throw new Error(`${method} ${path}: expected 2xx, found ${answer.status}: ${await answer.text()}`);
}
