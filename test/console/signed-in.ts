import { PROGRAM } from '../../console/people/actor.ts';
import type { Grant } from '../../schemas/console/people.ts';
import type { SignedIn } from '../../schemas/console/session.ts';
import type { RunningConsole } from './running-console.ts';

export const PASSWORD = 'correct horse battery';

/** What a browser sends and keeps: cookies of ours, an origin, the token of the session. */
export interface Browser {
  cookies: Record<string, string>;
  csrf: string;
  /** As a page of the console would call; `headers` win. A body is sent as JSON. */
  call(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Response>;
}

export function newBrowser(url: string): Browser {
  const browser: Browser = {
    cookies: {},
    csrf: '',
    async call(method, path, body, headers = {}) {
      const response = await fetch(url + path, {
        method,
        headers: { ...pageHeaders(browser, url), ...typed(body), ...headers },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      for (const line of response.headers.getSetCookie()) {
        const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
        if (/max-age=0/i.test(line)) delete browser.cookies[name];
        else browser.cookies[name] = value;
      }
      if (response.ok && path.startsWith('/api/session')) await learn(browser, response);
      return response;
    },
  };
  return browser;
}

/** What a page of the console sends along; without a browser's cookies it is nobody. */
export function pageHeaders({ cookies, csrf }: Browser, url: string): Record<string, string> {
  const cookie = Object.entries(cookies)
    .map(([name, value]) => `${name}=${value}`)
    .join('; ');
  return { cookie, origin: url, 'sec-fetch-site': 'same-origin', 'x-csrf-token': csrf };
}

function typed(body: unknown): Record<string, string> {
  return body === undefined ? {} : { 'content-type': 'application/json' };
}

async function learn(browser: Browser, response: Response): Promise<void> {
  const answer = (await response.clone().json()) as Partial<SignedIn>;
  browser.csrf = answer.csrf ?? '';
}

/** A person with these grants, who has been invited and has chosen `PASSWORD` in a browser of their own. */
export async function signedIn(
  running: RunningConsole,
  login: string,
  grants: readonly Grant[],
): Promise<Browser> {
  const { url } = await running.console.admin.people.invite(PROGRAM, {
    login,
    locale: null,
    grants: [...grants],
  });
  const browser = newBrowser(running.url);
  const answer = await browser.call('POST', '/api/invitations/accept', {
    code: url.split('#')[1],
    password: PASSWORD,
  });
  if (answer.status !== 200) throw new Error(`expected 200, found ${answer.status}: ${await answer.text()}`);
  browser.csrf = ((await answer.json()) as SignedIn).csrf;
  return browser;
}
