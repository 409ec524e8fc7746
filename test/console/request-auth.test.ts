import { Writable } from 'node:stream';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createManualClock } from '../../system/clock.ts';
import { newKey } from '../../trust/ceremony/new-key.ts';
import { signRequestToken } from '../../trust/request-token.ts';
import {
  addTenant,
  call,
  type EnrolledAgent,
  enrolAgent,
  git,
  type RunningConsole,
  runReport,
  startConsole,
  statusOf,
  withBasic,
} from './running-console.ts';

let running: RunningConsole;
let agent: EnrolledAgent;

beforeAll(async () => {
  running = await startConsole();
  await addTenant(running, 'acme');
  agent = await enrolAgent(running, 'acme');
});
afterAll(async () => running[Symbol.asyncDispose]());

describe('a call of an agent', () => {
  const url = () => `${running.url}/edge/status`;
  const answerTo = async (token: string | null) => {
    const response = await fetch(url(), {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        ...(token === null ? {} : { authorization: `Bearer ${token}` }),
      },
      body: JSON.stringify(statusOf(agent)),
    });
    const { error } = (await response.json()) as { error?: { code: string } };
    return `${response.status} ${error?.code ?? 'ok'}`;
  };
  const sign = async (change: Partial<Parameters<typeof signRequestToken>[0]> = {}) =>
    signRequestToken({ ...agent, method: 'POST', url: url(), now: new Date(), ...change });

  it('is taken once', async () => {
    const token = await sign();
    expect(await answerTo(token)).toBe('200 ok');
    expect(await answerTo(token)).toBe('401 token_replayed');
  });

  it.each<[string, () => Promise<string | null>, string]>([
    ['without a token', async () => null, 'credentials_missing'],
    ['with the git token', async () => agent.answer.git.token ?? '', 'token_malformed'],
    ['signed by another key', async () => sign({ jwk: newKey() }), 'signature_invalid'],
    ['of an unknown agent', async () => sign({ issuer: 'nobody' }), 'key_unknown'],
    ['for another method', async () => sign({ method: 'PUT' }), 'request_mismatch'],
    ['for another path', async () => sign({ url: `${running.url}/edge/notify` }), 'request_mismatch'],
    [
      'for another origin',
      async () => sign({ url: 'https://elsewhere.example/edge/status' }),
      'audience_mismatch',
    ],
    ['from an hour ago', async () => sign({ now: new Date(Date.now() - 3_600_000) }), 'token_expired'],
    ['from the future', async () => sign({ now: new Date(Date.now() + 3_600_000) }), 'token_not_yet_valid'],
  ])('%s is refused', async (_name, token, code) => {
    expect(await answerTo(await token())).toBe(`401 ${code}`);
  });

  it('is refused after the agent was revoked', async () => {
    const gone = await enrolAgent(running, 'acme');
    await running.console.admin.revokeAgent(gone.issuer);
    const response = await call(gone, 'POST', url(), statusOf(gone));
    expect([response.status, await response.text()]).toEqual([403, expect.stringContaining('agent_revoked')]);
  });

  it('comes at most so often, and again after the wait it was told', async () => {
    const clock = createManualClock(new Date());
    await using strict = await startConsole({ clock, limits: { agentBurst: 3, agentPerSecond: 1 } });
    await addTenant(strict, 'acme');
    const busy = await enrolAgent(strict, 'acme');
    const send = async () => call(busy, 'POST', `${strict.url}/edge/status`, statusOf(busy));
    const statuses = [await send(), await send(), await send(), await send()];
    expect(statuses.map((response) => response.status)).toEqual([200, 200, 200, 429]);
    expect(statuses[3]?.headers.get('retry-after')).toBe('1');
    await clock.advance(1_000);
    expect((await send()).status).toBe(200);
  });

  it('is put off while too much is on its way into memory', async () => {
    await using small = await startConsole({ limits: { bodiesInFlightBytes: 1_000 } });
    await addTenant(small, 'acme');
    const large = await enrolAgent(small, 'acme');
    const body = statusOf(large, { labels: { note: 'x'.repeat(1_000) } });
    const response = await call(large, 'POST', `${small.url}/edge/status`, body);
    expect([response.status, response.headers.get('retry-after')]).toEqual([503, '5']);
    // What was put off does not count for ever.
    const fitting = { log_id: 'x', events: [], note: 'x'.repeat(600) };
    const send = async () => (await call(large, 'POST', `${small.url}/edge/events`, fitting)).status;
    expect([await send(), await send(), await send()]).toEqual([200, 200, 200]);
  });

  it('is answered with the time by the clock of the console', async () => {
    const clock = createManualClock(new Date('2026-01-02T03:04:05Z'));
    await using elsewhere = await startConsole({ clock });
    const response = await fetch(`${elsewhere.url}/healthz`);
    expect(response.headers.get('date')).toBe('Fri, 02 Jan 2026 03:04:05 GMT');
  });

  it('leaves no credential in the log, refused or not', async () => {
    let said = '';
    const stream = new Writable({
      write(chunk: Buffer, _encoding, done) {
        said += chunk.toString('utf8');
        done();
      },
    });
    await using talkative = await startConsole({ log: pino({ level: 'trace' }, stream) });
    const { publisherToken, gitUrl } = await addTenant(talkative, 'acme');
    const loud = await enrolAgent(talkative, 'acme');
    const report = runReport();
    await call(loud, 'POST', `${talkative.url}/edge/notify`, report, {
      'idempotency-key': `${report.run_id}.1`,
    });
    await call(loud, 'POST', `${talkative.url}/edge/notify`, report);
    const gitToken = loud.answer.git.token ?? '';
    await git(talkative.directory, 'ls-remote', withBasic(gitUrl, gitToken));
    await git(talkative.directory, 'push', withBasic(gitUrl, gitToken)).catch(() => {});
    await git(talkative.directory, 'ls-remote', withBasic(gitUrl, publisherToken));
    await fetch(`${talkative.url}/api/runs`, { headers: { 'x-api-key': talkative.apiKey } });
    expect(said).toContain('/edge/notify');
    for (const secret of [gitToken, publisherToken, talkative.apiKey, 'Bearer', 'Basic', btoa(gitToken)]) {
      expect(said).not.toContain(secret);
    }
  });
});
