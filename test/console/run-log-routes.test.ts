import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LogSearchAnswer } from '../../schemas/console/run.ts';
import {
  addTenant,
  type EnrolledAgent,
  enrolAgent,
  type RunningConsole,
  startConsole,
} from './running-console.ts';
import { connect, type TunnelClient } from './tunnel-client.ts';

let running: RunningConsole;
let agent: EnrolledAgent;
let client: TunnelClient;

beforeAll(async () => {
  running = await startConsole({ limits: { agentBurst: 10_000, logFollowersEach: 1, logSearchesEach: 1 } });
  await addTenant(running, 'acme');
  agent = await enrolAgent(running, 'acme');
  client = await connect(agent, running.url);
});
afterAll(async () => {
  await client.end();
  await running[Symbol.asyncDispose]();
});

const print = async (run_id: string, text: string) => {
  const bytes = Buffer.from(text);
  for (let offset = 0; offset < bytes.length; offset += 60_000) {
    const data = bytes.subarray(offset, offset + 60_000).toString('base64');
    client.send('edgeflows.run.log', { run_id, attempt: 1, stream: 'stdout', offset, data });
  }
  await client.next(
    'edgeflows.run.log.ack',
    ({ data }) =>
      (data as { run_id: string; offset: number }).run_id === run_id &&
      (data as { offset: number }).offset === bytes.length,
  );
};
const get = (run_id: string, path: string) =>
  fetch(`${running.url}/api/agents/${agent.issuer}/runs/${run_id}/log${path}`, {
    headers: { 'x-api-key': running.apiKey },
  });
const search = async (run_id: string, query: string) => {
  const answer = await get(run_id, `/search?${query}`);
  if (answer.status !== 200) throw new Error(`expected 200, found ${answer.status}: ${await answer.text()}`);
  return LogSearchAnswer.parse(await answer.json());
};

describe('a log', () => {
  it('is a file to keep, with a name, that a browser runs nothing of', async () => {
    await print('r-keep', 'one\n<script>two</script>\n');
    const answer = await get('r-keep', '?download');
    expect(answer.headers.get('content-disposition')).toContain('attachment; filename="r-keep.1.stdout.log"');
    expect(answer.headers.get('content-type')).toBe('application/octet-stream');
    expect(answer.headers.get('x-content-type-options')).toBe('nosniff');
    expect(await answer.text()).toBe('one\n<script>two</script>\n');
    expect((await get('r-none', '?download')).status).toBe(404);
  });

  it('is searched whatever the case and the colours, with line and place', async () => {
    const text = 'begin\nan \u001B[31mERR\u001B[0mOR: é here\r\nfine\nlast error';
    await print('r-find', text);
    expect(await search('r-find', 'q=error')).toEqual({
      matches: [
        { line: 2, offset: 6, text: 'an ERROR: é here' },
        { line: 4, offset: Buffer.byteLength(text) - 10, text: 'last error' },
      ],
      total: 2,
      lines: 4,
      bytes: Buffer.byteLength(text),
    });
    expect((await search('r-find', 'q=error&offset=7')).matches.map(({ line }) => line)).toEqual([4]);
    expect((await search('r-find', 'q=.*')).total).toBe(0);
    expect((await get('r-find', '/search')).status).toBe(400);
    expect((await get('r-none', '/search?q=x')).status).toBe(404);
  });

  it('is searched through lines of any length, and lists as many as were asked for', async () => {
    const long = 'x'.repeat(300_000);
    const text = `${long}\nneedle one\n${long}needle beyond what is looked at\nneedle two\n${'needle\n'.repeat(50)}`;
    await print('r-long', text);
    const found = await search('r-long', 'q=needle&limit=2');
    expect(found.total).toBe(52);
    expect(found.matches).toEqual([
      { line: 2, offset: 300_001, text: 'needle one' },
      { line: 4, offset: text.indexOf('needle two'), text: 'needle two' },
    ]);
  });

  it('is for the others, too, when somebody has all that one may have of it', async () => {
    await print('r-share', 'a line\n'.repeat(50_000));
    const other = await running.console.admin.newApiKey('other', {
      grants: [{ tenant: 'acme', role: 'viewer' }],
    });
    const leaving = new AbortController();
    const statusOf = async (key: string, path: string) => {
      const url = `${running.url}/api/agents/${agent.issuer}/runs/r-share/log${path}`;
      const answer = await fetch(url, { headers: { 'x-api-key': key }, signal: leaving.signal });
      if (path.startsWith('/search')) await answer.text();
      return answer.status;
    };
    const followed: number[] = [];
    for (const key of [running.apiKey, running.apiKey, other])
      followed.push(await statusOf(key, '?follow=true'));
    expect(followed).toEqual([200, 429, 200]);

    const atOnce = async (keys: readonly string[]) =>
      Promise.all(keys.map(async (key) => statusOf(key, '/search?q=line')));
    const greedy = Array<string>(4).fill(running.apiKey);
    await expect.poll(async () => Math.max(...(await atOnce(greedy))), { interval: 1 }).toBe(429);
    for (let times = 0; times < 5; times += 1)
      expect(await atOnce([running.apiKey, other])).toEqual([200, 200]);
    leaving.abort();
  });
});
