import type { HttpClient, HttpRequest, HttpResponse } from './http-client.ts';

const REDIRECTS = new Set([301, 302, 303, 307, 308]);
const DEFAULT_MAX = 5;

export interface RedirectPolicy<Refusal> {
  /** Asked for every URL before it is called, the first one too. */
  allows(url: URL): Refusal | null;
  /** True: a redirect to another origin is refused, whatever `allows` says. */
  readonly sameOriginOnly: boolean;
  /** Default 5. */
  readonly max?: number;
  /** Credentials for one URL. Never asked once a redirect has left the origin of the first URL. */
  authorize?(url: URL): Promise<Readonly<Record<string, string>>>;
}

export type Followed<Refusal> =
  | { readonly kind: 'answered'; readonly response: HttpResponse; readonly url: URL }
  | { readonly kind: 'not_allowed'; readonly refusal: Refusal }
  | { readonly kind: 'redirect_refused'; readonly message: string };

/**
 * Follows the redirects of a GET or HEAD. `authorization`, `cookie` and what `authorize` gives go only to the origin of the first
 * URL, and not back to it after a detour; https never becomes http. The deadline is that of each hop. Throws what `request` throws.
 */
export async function followRedirects<Refusal>(
  client: HttpClient,
  request: HttpRequest & { method: 'GET' | 'HEAD' },
  policy: RedirectPolicy<Refusal>,
): Promise<Followed<Refusal>> {
  const first = new URL(request.url);
  const max = policy.max ?? DEFAULT_MAX;
  let url = first;
  let trusted = true;
  for (let hops = 0; ; hops += 1) {
    const refusal = policy.allows(url);
    if (refusal !== null) return { kind: 'not_allowed', refusal };
    const credentials = trusted && policy.authorize !== undefined ? await policy.authorize(url) : {};
    const headers = trusted ? { ...request.headers, ...credentials } : withoutCredentials(request.headers);
    const response = await client.request({ ...request, url, headers });
    const location = response.headers.get('location');
    if (!REDIRECTS.has(response.status) || location === null) return { kind: 'answered', response, url };
    response.discard();

    if (hops >= max)
      return refused(`${first.origin}${first.pathname}: expected at most ${max} redirects, found more`);
    if (!URL.canParse(location, url))
      return refused(`${url.origin}${url.pathname}: expected a URL to go on to, found none`);
    const target = new URL(location, url);
    if (target.username !== '' || target.password !== '') {
      return refused(
        `${url.origin}${url.pathname}: expected a redirect without user name and password, found one`,
      );
    }
    if (target.protocol !== 'https:' && target.protocol !== url.protocol) {
      return refused(
        `${url.origin}${url.pathname}: expected a redirect to https, found one to ${target.origin}`,
      );
    }
    if (target.origin !== first.origin) {
      if (policy.sameOriginOnly) {
        const advice = 'write the address it leads to into the configuration if it is to be believed';
        return refused(
          `${url.origin}${url.pathname}: expected an answer of its own, found a redirect to ${target.origin}; ${advice}`,
        );
      }
      trusted = false;
    }
    url = target;
  }
}

function refused(message: string) {
  return { kind: 'redirect_refused', message } as const;
}

function withoutCredentials(headers: HttpRequest['headers'] = {}): Record<string, string> {
  const kept = Object.entries(headers).filter(
    ([name]) => !/^(?:authorization|cookie|proxy-authorization)$/i.test(name),
  );
  return Object.fromEntries(kept);
}
