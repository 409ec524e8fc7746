import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
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
    expect((await running.console.admin.runs()).filter((row) => row.run_id === report.run_id)).toHaveLength(
      1,
    );
    expect(await running.console.admin.run(report.run_id)).toEqual(report);
  });

  it('keeps fields it does not know', async () => {
    const report = { ...runReport(), later: { invented: true } };
    expect((await notify(report)).status).toBe(201);
    expect(await running.console.admin.run(report.run_id)).toEqual(report);
  });

  it('refuses fields that are nested deeper than its database reads, of an event and a status too', async () => {
    const later = JSON.parse(`${'['.repeat(1_500)}${']'.repeat(1_500)}`) as unknown;
    const events = eventChain(agent, 'log-1', 1, String).map((event) => ({ ...event, later }));
    const answers = [
      await notify({ ...runReport(), later } as ReturnType<typeof runReport>),
      await post('/edge/status', { ...statusOf(agent), later }),
      await post('/edge/events', { log_id: 'log-1', events }),
    ];
    expect(answers.map(({ status }) => status)).toEqual([422, 422, 422]);
    expect(await answers[2]?.text()).toContain('levels of nesting');
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
    const list = await running.console.admin.runs({ limit: 1 });
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
    expect((await running.console.admin.status(agent.issuer))?.status).toEqual(newest);
  });

  it('is about the sender alone', async () => {
    for (const change of [{ agent_id: 'other' }, { tenant: 'globex' }]) {
      expect((await post('/edge/status', statusOf(agent, change))).status).toBe(422);
    }
  });
});
