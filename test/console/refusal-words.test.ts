import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { addTenant, type RunningConsole, startConsole } from './running-console.ts';

let running: RunningConsole;
let tenant: Awaited<ReturnType<typeof addTenant>>;

beforeAll(async () => {
  running = await startConsole();
  tenant = await addTenant(running, 'acme');
});
afterAll(async () => running[Symbol.asyncDispose]());

/** Status, code and message of what is refused. */
async function refused(method: string, path: string, body?: string, headers: Record<string, string> = {}) {
  const answer = await fetch(running.url + path, {
    method,
    headers: { 'x-api-key': running.apiKey, 'content-type': 'application/json', ...headers },
    ...(body === undefined ? {} : { body }),
  });
  const { error } = (await answer.json()) as { error: { code: string; message: string } };
  return { status: answer.status, ...error };
}
const asked = async (body: unknown) => refused('POST', '/api/actions', JSON.stringify(body));

describe('a refused call says what was expected, what was found and what to do', () => {
  it('names the type that a body has to have', async () => {
    const form = { 'content-type': 'application/x-www-form-urlencoded' };
    const { status, code, message } = await refused('POST', '/api/actions', '{}', form);
    expect([status, code]).toEqual([415, 'content_type_unknown']);
    expect(message).toContain('Content-Type: application/json');
    expect(message).toContain('application/x-www-form-urlencoded');
  });

  it.each(['/api/agents', '/api/events', '/api/audit', '/api/tokens'])(
    'names the parameters of %s at one that it does not know, and the nearest',
    async (path) => {
      const { status, code, message } = await refused('GET', `${path}?tenent=acme`);
      expect([status, code]).toEqual([400, 'query_invalid']);
      expect(message).toMatch(/^unknown parameter "tenent", expected one of [a-z_, ]*\btenant\b/);
      expect(message).toMatch(/; did you mean "tenant"\?$/);
    },
  );

  it('names the values that a parameter takes, also of one in a list', async () => {
    const { message } = await refused('GET', '/api/agents?state=ready,staled');
    expect(message).toMatch(
      /^state\[1\]: expected one of "stalled", .*, found "staled"; did you mean "stalled"\?$/,
    );
    expect((await refused('GET', '/api/agents?limit=9999')).message).toBe(
      'limit: expected at most 500, found "9999"',
    );
    expect((await refused('GET', '/api/agents?limit=few')).message).toBe(
      'limit: expected a number, found "few"',
    );
  });

  it('puts every fault of a body into a sentence, and all of them into one answer', async () => {
    const { status, code, message } = await asked({
      action: 'rollbak',
      targets: { agents: 'all' },
      dry: true,
    });
    expect([status, code]).toEqual([422, 'body_invalid']);
    expect(message).toContain(
      'action: expected one of "reconcile", "run", "cancel", "suspend", "resume", "rollback", "revoke", found "rollbak"; did you mean "rollback"?',
    );
    expect(message).toContain('targets.agents: expected a list, found "all"');
    expect(message).toContain('reason: expected a text, found nothing');
    expect(message).toMatch(/unknown member "dry", expected one of action, targets, reason, dry_run, /);
    expect(message).not.toMatch(/✖|Invalid|undefined/);
  });

  it('says what a body has to be when it is something else', async () => {
    expect((await refused('POST', '/api/actions', '["secret"]')).message).toBe(
      'body: expected keys with values, found a list of 1',
    );
    expect((await refused('POST', '/api/actions', '"a secret"')).message).toBe(
      'body: expected keys with values, found a text (not shown)',
    );
    const malformed = await refused('POST', '/api/actions', '{"action":');
    expect([malformed.status, malformed.code]).toEqual([400, 'body_malformed']);
    expect(malformed.message).toMatch(/^expected a body of JSON, found /);
  });

  it('repeats no password, no key and no token', async () => {
    const secret = 'hunter2 hunter2 hunter2';
    const password = `${secret} `.repeat(30);
    for (const [method, path, body] of [
      ['POST', '/api/session', { login: 'ann', password }],
      ['POST', '/api/setup', { code: { secret }, login: 'ann', password }],
      ['PUT', '/api/session/password', { current: password, password }],
      ['PUT', '/api/tenants/acme/trigger-key', { key: { kty: 'OKP', crv: secret, d: secret } }],
      ['POST', '/api/invitations/accept', { code: password.repeat(9), password: [secret] }],
      // What a flow is given is not for the log either; JSON as a text is the commonest mistake with it.
      ['POST', '/flows/hello/run', { inputs: JSON.stringify({ customer: secret }) }],
      [
        'POST',
        '/api/actions',
        { action: 'run', flow: 'hello', reason: 'x', inputs: `"${secret}"`, targets: {} },
      ],
    ] as const) {
      const { status, message } = await refused(method, path, JSON.stringify(body));
      expect([path, status >= 400, message]).toEqual([path, true, expect.not.stringContaining('hunter2')]);
    }
  });
});

describe('what a newcomer meets with curl', () => {
  it('finds every address at GET /, with what it is for', async () => {
    const text = await (await fetch(running.url)).text();
    const missing = [...running.console.operations].filter(([route, { summary }]) => {
      const [method = '', path = ''] = route.split(' ');
      const named = path.replaceAll(/:(\w+)/g, '<$1>');
      return (
        !new RegExp(`^ *${method} +${named.replaceAll('/', '\\/')} +`, 'm').test(text) ||
        !text.includes(summary)
      );
    });
    expect(missing.map(([route]) => route)).toEqual([]);
    expect(running.console.operations.size).toBeGreaterThan(60);
    for (const each of [
      '/healthz',
      '/git/<slug>.git',
      '/artifacts/<slug>/<file>',
      '/hooks/<slug>',
      'X-Api-Key',
    ]) {
      expect(text).toContain(each);
    }
    expect(Math.max(...text.split('\n').map((line) => line.length))).toBeLessThan(160);
  });

  it('reads at which address the API is', async () => {
    const document = (await (await fetch(`${running.url}/api/openapi.json`)).json()) as { servers: unknown };
    expect(document.servers).toEqual([{ url: running.url, description: 'This console' }]);
  });

  it('has its prompt on a line of its own after an upload', async () => {
    const answer = await fetch(`${running.url}/artifacts/acme/hello-1.tar.gz`, {
      method: 'PUT',
      headers: {
        authorization: `Basic ${Buffer.from(`publisher:${tenant.publisherToken}`).toString('base64')}`,
      },
      body: 'bytes',
    });
    expect(answer.status).toBe(201);
    expect(answer.headers.get('content-type')).toContain('application/json');
    const text = await answer.text();
    expect(text).toMatch(/\}\n$/);
    expect(JSON.parse(text)).toMatchObject({ size: 5 });
  });
});
