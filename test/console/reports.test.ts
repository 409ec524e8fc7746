import { createHash, randomUUID } from 'node:crypto';
import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Event } from '../../schemas/event.ts';
import { createManualClock } from '../../system/clock.ts';
import { newKey } from '../../trust/ceremony/new-key.ts';
import { signRequestToken } from '../../trust/request-token.ts';
import {
  addTenant,
  call,
  type EnrolledAgent,
  enrolAgent,
  eventChain,
  type RunningConsole,
  runReport,
  startConsole,
  statusOf,
} from './running-console.ts';

let running: RunningConsole;
let agent: EnrolledAgent;

beforeAll(async () => {
  running = await startConsole();
  await addTenant(running, 'acme');
  agent = await enrolAgent(running, 'acme');
});
afterAll(async () => running[Symbol.asyncDispose]());

const post = async (path: string, body: unknown, headers: Record<string, string> = {}, as = agent) =>
  call(as, 'POST', running.url + path, body, headers);
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
const chain = (count: number, logId: string = randomUUID()) => eventChain(agent, logId, count, sha256);
const sendEvents = async (events: readonly Event[]) => {
  const response = await post('/edge/events', { log_id: events[0]?.log_id, events });
  return {
    status: response.status,
    body: (await response.json()) as { next_seq?: number; error?: { code: string } },
  };
};

describe('POST /edge/notify', () => {
  const notify = async (report: ReturnType<typeof runReport>, key = `${report.run_id}.${report.attempt}`) =>
    post('/edge/notify', report, { 'idempotency-key': key });

  it('stores a run once, however often it is told', async () => {
    const heard: string[] = [];
    const stop = running.console.notices.notify.subscribe(({ report }) => heard.push(report.run_id));
    const report = runReport();
    expect((await notify(report)).status).toBe(201);
    const again = await Promise.all([notify(report), notify(report)]);
    expect(again.map((response) => response.status)).toEqual([200, 200]);
    stop();
    expect(heard).toEqual([report.run_id]);
    expect(running.console.admin.runs().filter((row) => row.run_id === report.run_id)).toHaveLength(1);
    expect(running.console.admin.run(report.run_id)).toEqual(report);
  });

  it('keeps fields it does not know', async () => {
    const report = { ...runReport(), later: { invented: true } };
    expect((await notify(report)).status).toBe(201);
    expect(running.console.admin.run(report.run_id)).toEqual(report);
  });

  it('refuses another report under the same key, and a key that is not the report’s', async () => {
    const report = runReport();
    await notify(report);
    const changed = await notify({ ...report, exit_code: 3 });
    expect([changed.status, await changed.text()]).toEqual([
      422,
      expect.stringContaining('idempotency_key_reused'),
    ]);
    expect((await notify(report, 'other.1')).status).toBe(400);
    expect((await post('/edge/notify', report)).status).toBe(400);
  });

  it('takes two full streams of 8 MiB, and refuses what is larger than that before reading it', async () => {
    const report = runReport({
      stdout: '\u0001'.repeat(8 * 1024 * 1024),
      stderr: 'x'.repeat(8 * 1024 * 1024),
    });
    expect((await notify(report)).status).toBe(201);
    const list = running.console.admin.runs({ limit: 1 });
    expect(list[0]?.run_id).toBe(report.run_id);
    expect(JSON.stringify(list).length).toBeLessThan(1_000);
    const token = await signRequestToken({
      ...agent,
      method: 'POST',
      url: `${running.url}/edge/notify`,
      now: new Date(),
    });
    const status = await new Promise<number>((resolve, reject) => {
      const client = request(`${running.url}/edge/notify`, {
        method: 'POST',
        headers: {
          authorization: `Bearer ${token}`,
          'content-type': 'application/json',
          'content-length': 200 * 1024 * 1024,
        },
      });
      client.on('response', (response) => {
        resolve(response.statusCode ?? 0);
        client.destroy();
      });
      client.on('error', reject);
      client.write('{');
    });
    expect(status).toBe(413);
  });

  it('says which fields are wrong', async () => {
    const response = await post(
      '/edge/notify',
      { run_id: 'x', status: 'great' },
      { 'idempotency-key': 'x.1' },
    );
    expect(response.status).toBe(422);
    const { error } = (await response.json()) as { error: { code: string; message: string } };
    expect(error.code).toBe('body_invalid');
    expect(error.message).toMatch(/status/);
  });

  it('refuses text that is no JSON', async () => {
    const url = `${running.url}/edge/notify`;
    const token = await signRequestToken({ ...agent, method: 'POST', url, now: new Date() });
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
    expect((await fetch(url, { method: 'POST', headers, body: '{' })).status).toBe(400);
  });
});

describe('POST /edge/status', () => {
  it('keeps the newest', async () => {
    await post('/edge/status', statusOf(agent, { isolation: 'none' }));
    const newest = { ...statusOf(agent, { isolation: 'cgroup' }), unknown: 1 };
    expect((await post('/edge/status', newest)).status).toBe(200);
    expect(running.console.admin.status(agent.issuer)?.status).toEqual(newest);
  });

  it('is about the sender alone', async () => {
    for (const change of [{ agent_id: 'other' }, { tenant: 'globex' }]) {
      expect((await post('/edge/status', statusOf(agent, change))).status).toBe(422);
    }
  });
});

describe('POST /edge/events', () => {
  it('takes a log in order and says what comes next', async () => {
    const events = chain(700);
    expect(await sendEvents(events.slice(0, 500))).toEqual({ status: 200, body: { next_seq: 501 } });
    expect(await sendEvents(events.slice(500))).toEqual({ status: 200, body: { next_seq: 701 } });
  });

  it('takes what it has again without keeping it twice', async () => {
    const events = chain(5);
    await sendEvents(events.slice(0, 3));
    expect((await sendEvents(events)).body.next_seq).toBe(6);
    expect((await sendEvents(events)).body.next_seq).toBe(6);
    const log = events[0]?.log_id;
    const kept = running.console.admin.events({ limit: 500 }).filter(({ event }) => event.log_id === log);
    expect(kept.map(({ event }) => event)).toEqual(events);
  });

  it('asks for what is missing, takes it, and goes on', async () => {
    const events = chain(9);
    await sendEvents(events.slice(0, 3));
    expect(await sendEvents(events.slice(6))).toEqual({ status: 200, body: { next_seq: 4 } });
    expect((await sendEvents(events.slice(3))).body.next_seq).toBe(10);
  });

  it('believes the third time that the agent no longer has the older ones, and says how many are missing', async () => {
    const events = chain(9);
    await sendEvents(events.slice(0, 2));
    expect((await sendEvents(events.slice(5))).body.next_seq).toBe(3);
    expect((await sendEvents(events.slice(5))).body.next_seq).toBe(3);
    expect((await sendEvents(events.slice(5))).body.next_seq).toBe(10);
    const response = await fetch(`${running.url}/api/agents/${agent.issuer}`, {
      headers: { 'x-api-key': running.apiKey },
    });
    const { event_logs } = (await response.json()) as { event_logs: { log_id: string; missing: number }[] };
    expect(event_logs).toContainEqual({ log_id: events[0]?.log_id, next_seq: 10, missing: 3 });
  });

  it('refuses a history that was changed, and keeps none of the batch', async () => {
    const events = chain(6);
    await sendEvents(events.slice(0, 3));
    const forged = events.map((event) => (event.seq === 2 ? { ...event, message: 'never happened' } : event));
    expect(await sendEvents(forged)).toMatchObject({
      status: 409,
      body: { error: { code: 'event_changed' } },
    });
    const cut = [events[3], { ...events[4], message: 'altered' }, events[5]] as Event[];
    expect(await sendEvents(cut)).toMatchObject({ status: 409, body: { error: { code: 'chain_broken' } } });
    const mixed = [events[3], events[5]] as Event[];
    expect(await sendEvents(mixed)).toMatchObject({
      status: 409,
      body: { error: { code: 'events_out_of_order' } },
    });
    expect((await sendEvents(events.slice(3))).body.next_seq).toBe(7);
  });

  it('begins a log only with the first event of a chain', async () => {
    const [first] = chain(1);
    expect(await sendEvents([{ ...first, prev: 'f'.repeat(64) } as Event])).toMatchObject({ status: 409 });
  });

  it('takes reasons and fields of newer agents, and chains over them as they came', async () => {
    const logId = randomUUID();
    const [first] = chain(1, logId);
    const odd = { novel: [1, { b: 2, a: 1 }], ...first, reason: 'InventedLater' };
    const next = { ...first, seq: 2, prev: sha256(JSON.stringify(odd)) };
    expect((await sendEvents([odd, next] as Event[])).body.next_seq).toBe(3);
  });

  it('does not take events of other agents or logs, nor more than 500', async () => {
    const events = chain(501);
    expect((await sendEvents(events)).status).toBe(422);
    expect((await sendEvents([{ ...events[0], agent_id: 'other' } as Event])).status).toBe(422);
    expect((await sendEvents([{ ...events[0], tenant: 'globex' } as Event])).status).toBe(422);
    expect((await post('/edge/events', { log_id: 'another', events: events.slice(0, 1) })).status).toBe(422);
  });
});

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
    running.console.admin.revokeAgent(gone.issuer);
    const response = await post('/edge/status', statusOf(gone), {}, gone);
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
    for (const url of [`${small.url}/edge/events`, `${small.url}/edge/events`]) {
      expect((await call(large, 'POST', url, { log_id: 'x', events: [] })).status).toBe(200);
    }
  });

  it('is answered with the time by the clock of the console', async () => {
    const clock = createManualClock(new Date('2026-01-02T03:04:05Z'));
    await using elsewhere = await startConsole({ clock });
    const response = await fetch(`${elsewhere.url}/healthz`);
    expect(response.headers.get('date')).toBe('Fri, 02 Jan 2026 03:04:05 GMT');
  });
});
