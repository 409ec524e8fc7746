import { randomUUID } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  addTenant,
  call,
  type EnrolledAgent,
  enrolAgent,
  type RunningConsole,
  runReport,
  startConsole,
} from './running-console.ts';
import { connect, type TunnelClient } from './tunnel-client.ts';

const CAP = 4_096;
let running: RunningConsole;
let agent: EnrolledAgent;
let client: TunnelClient;

beforeAll(async () => {
  running = await startConsole({
    limits: { agentBurst: 1_000, logStreamBytes: CAP, keepAgentLogBytes: 20_000, logFollowers: 2 },
  });
  await addTenant(running, 'acme');
  await addTenant(running, 'globex');
  agent = await enrolAgent(running, 'acme');
  client = await connect(agent, running.url);
});
afterAll(async () => {
  await client.end();
  await running[Symbol.asyncDispose]();
});

type Stream = 'stdout' | 'stderr';
const key = () => ({ 'x-api-key': running.apiKey });
const print = (runId: string, offset: number, text: string, stream: Stream = 'stdout', by = client) =>
  by.send('edgeflows.run.log', {
    run_id: runId,
    attempt: 1,
    stream,
    offset,
    data: Buffer.from(text).toString('base64'),
  });
/** What the console says it has of a stream, as soon as it is that. */
const acked = async (runId: string, offset: number, stream: Stream = 'stdout', by = client) =>
  by.next('edgeflows.run.log.ack', ({ data }) => {
    const said = data as { run_id: string; stream: string; offset: number };
    return said.run_id === runId && said.stream === stream && said.offset === offset;
  });
const read = async (runId: string, query = '') => {
  const url = `${running.url}/api/agents/${agent.issuer}/runs/${runId}/log?${query}`;
  const response = await fetch(url, { headers: key() });
  return {
    status: response.status,
    next: response.headers.get('x-next-offset'),
    text: await response.text(),
  };
};
const settled = async () => {
  client.send('edgeflows.echo.request', 1);
  await client.next('edgeflows.echo.reply');
};

describe('the output of a run', () => {
  it('is kept as it was printed, by offset, each stream apart', async () => {
    const run = randomUUID();
    print(run, 0, 'hello ');
    print(run, 6, 'world\n');
    print(run, 0, 'oh\n', 'stderr');
    expect((await acked(run, 12)).data).toEqual({ run_id: run, attempt: 1, stream: 'stdout', offset: 12 });
    await acked(run, 3, 'stderr');
    expect(await read(run)).toEqual({ status: 200, next: '12', text: 'hello world\n' });
    expect(await read(run, 'offset=6')).toEqual({ status: 200, next: '12', text: 'world\n' });
    expect(await read(run, 'stream=stderr&attempt=1')).toEqual({ status: 200, next: '3', text: 'oh\n' });
    expect(await read(run, 'offset=12')).toEqual({ status: 200, next: '12', text: '' });
    expect(await read(run, 'offset=2&limit=3')).toEqual({ status: 200, next: '5', text: 'llo' });
    expect((await read(run, 'attempt=2')).status).toBe(404);
    expect((await read(run, 'stream=stdin')).status).toBe(400);
  });

  it('is not disturbed by repetitions, overlaps and gaps: the agent hears where to go on', async () => {
    const run = randomUUID();
    print(run, 0, '0123456789');
    await acked(run, 10);
    print(run, 0, '0123456789');
    await acked(run, 10);
    print(run, 5, '56789abc');
    await acked(run, 13);
    print(run, 20, 'too early');
    await acked(run, 13);
    print(run, 2, 'XX');
    await acked(run, 13);
    print(run, 13, 'def');
    await acked(run, 16);
    expect((await read(run)).text).toBe('0123456789abcdef');
    const unheard = randomUUID();
    print(unheard, 7, 'in the middle');
    await acked(unheard, 0);
    expect((await read(unheard)).status).toBe(404);
  });

  it('goes on after a new connection, from what the console has', async () => {
    const mine = await enrolAgent(running, 'acme');
    const first = await connect(mine, running.url);
    const [going, over] = [randomUUID(), randomUUID()];
    print(going, 0, 'before', 'stdout', first);
    print(over, 0, 'done', 'stdout', first);
    await acked(going, 6, 'stdout', first);
    await acked(over, 4, 'stdout', first);
    const report = runReport({ run_id: over });
    await call(mine, 'POST', `${running.url}/edge/notify`, report, { 'idempotency-key': `${over}.1` });
    await first.end();
    const second = await connect(mine, running.url);
    await acked(going, 6, 'stdout', second);
    print(going, 6, ' after', 'stdout', second);
    await acked(going, 12, 'stdout', second);
    expect(JSON.stringify(second.received)).not.toContain(over);
    await second.end();
  });

  it('past the cap is acknowledged and dropped, so that the agent is not stuck', async () => {
    const run = randomUUID();
    print(run, 0, 'x'.repeat(CAP - 10));
    print(run, CAP - 10, 'y'.repeat(100));
    await acked(run, CAP + 90);
    print(run, CAP + 90, 'z');
    await acked(run, CAP + 91);
    const { text } = await read(run);
    expect(text).toBe('x'.repeat(CAP - 10) + 'y'.repeat(10));
  });

  it('of many runs is kept within bounds: the oldest goes', async () => {
    const runs = Array.from({ length: 8 }, () => randomUUID());
    for (const run of runs) {
      print(run, 0, 'x'.repeat(CAP));
      await acked(run, CAP);
      await new Promise((wake) => setTimeout(wake, 2));
    }
    const folders = async () => readdir(join(running.directory, 'data', 'logs', agent.issuer));
    await expect
      .poll(async () => (await folders()).length, { timeout: 15_000, interval: 200 })
      .toBeLessThanOrEqual(4);
    expect(await folders()).toContain(runs[7]);
    expect((await read(runs[7] as string)).status).toBe(200);
    expect((await read(runs[0] as string)).status).toBe(404);
  });

  it('that is empty leaves nothing behind', async () => {
    const run = randomUUID();
    print(run, 0, '');
    await acked(run, 0);
    expect(await readdir(join(running.directory, 'data', 'logs', agent.issuer))).not.toContain(run);
    const url = `${running.url}/api/agents/${agent.issuer}/runs/${run}/logs`;
    expect(await (await fetch(url, { headers: key() })).json()).toEqual({ logs: [] });
    expect((await read(run)).status).toBe(404);
  });

  it('of an attempt that nobody could read is refused', async () => {
    const data = { run_id: randomUUID(), attempt: 1_000_001, stream: 'stdout', offset: 0, data: btoa('x') };
    const id = client.send('edgeflows.run.log', data);
    const ack = await client.next('edgeflows.ack', (frame) => JSON.stringify(frame.data).includes(id));
    expect(ack.data).toMatchObject({ refused: [{ id, code: 'body_invalid' }] });
  });

  it('has no way out of its folder, whatever the run is called', async () => {
    for (const run of ['..', '.', 'con', 'A'.repeat(64)]) {
      print(run, 0, run);
      await acked(run, run.length);
      expect(
        (await read(encodeURIComponent(run).replaceAll('.', '%2E'))).status === 200 || /^\.+$/.test(run),
      ).toBe(true);
    }
    const names = await readdir(join(running.directory, 'data', 'logs', agent.issuer));
    expect(names.filter((name) => !/^(~[0-9a-f]{40}|[0-9a-f-]{36})$/.test(name))).toEqual([]);
    expect(await readdir(join(running.directory, 'data', 'logs'))).not.toContain('1.stdout');
  });

  it('refuses what is no piece of a log, and goes on', async () => {
    const id = client.send('edgeflows.run.log', {
      run_id: 'x',
      attempt: 1,
      stream: 'stdin',
      offset: 0,
      data: '',
    });
    const ack = await client.next('edgeflows.ack');
    expect(ack.data).toMatchObject({ refused: [{ id, code: 'body_invalid' }] });
    await settled();
  });

  it('is for operators, and not of another tenant', async () => {
    const run = randomUUID();
    print(run, 0, 'secret');
    await acked(run, 6);
    const url = `${running.url}/api/agents/${agent.issuer}/runs/${run}/log`;
    expect((await fetch(url)).status).toBe(401);
    expect((await fetch(`${url}?tenant=globex`, { headers: key() })).status).toBe(404);
    expect((await fetch(`${url}?tenant=acme`, { headers: key() })).status).toBe(200);
    const list = await fetch(`${running.url}/api/agents/${agent.issuer}/runs/${run}/logs`, {
      headers: key(),
    });
    expect(await list.json()).toEqual({ logs: [expect.objectContaining({ stream: 'stdout', bytes: 6 })] });
  });
});

describe('following', () => {
  interface Told {
    event: string;
    data: { offset: number; data?: string; state?: string };
  }

  const follow = async (run: string, query = '') => {
    const stop = new AbortController();
    const url = `${running.url}/api/agents/${agent.issuer}/runs/${run}/log?follow=true&${query}`;
    const response = await fetch(url, { headers: key(), signal: stop.signal });
    const told: Told[] = [];
    const ended = (async () => {
      let text = '';
      const decoder = new TextDecoder();
      for await (const part of response.body ?? []) {
        text += decoder.decode(part, { stream: true });
        for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
          const lines = text.slice(0, end).split('\n');
          text = text.slice(end + 2);
          const event = lines.find((line) => line.startsWith('event: '))?.slice(7);
          const data = lines.find((line) => line.startsWith('data: '))?.slice(6);
          if (event !== undefined && data !== undefined) told.push({ event, data: JSON.parse(data) });
        }
      }
    })().catch(() => {});
    const text = () =>
      told.map(({ data }) => Buffer.from(data.data ?? '', 'base64').toString('utf8')).join('');
    return { response, told, text, ended, stop };
  };

  it('sends what there is, then what comes, and ends with the run', async () => {
    const run = randomUUID();
    const at = '2026-11-20T15:00:00Z';
    client.send('edgeflows.run.started', { run_id: run, attempt: 1, flow: 'invoice-bot', version: 'v1', at });
    print(run, 0, 'one ');
    await acked(run, 4);
    const whole = await follow(run);
    const rest = await follow(run, 'offset=4');
    expect(whole.response.headers.get('content-type')).toContain('text/event-stream');
    const third = await fetch(`${running.url}/api/agents/${agent.issuer}/runs/${run}/log?follow=1`, {
      headers: key(),
    });
    expect(third.status).toBe(503);
    await expect.poll(whole.text).toBe('one ');
    print(run, 4, 'two ');
    await expect.poll(rest.text).toBe('two ');
    const { stdout: _o, stderr: _e, ...completed } = runReport({ run_id: run, status: 'failed' });
    client.send('edgeflows.run.completed', completed);
    print(run, 8, 'last words');
    await Promise.all([whole.ended, rest.ended]);
    expect([whole.text(), rest.text()]).toEqual(['one two last words', 'two last words']);
    expect(whole.told.at(-1)).toEqual({ event: 'end', data: { state: 'failed', offset: 18 } });
  });

  it('a run that nobody knows is refused, and HEAD does not follow', async () => {
    const url = `${running.url}/api/agents/${agent.issuer}/runs/${randomUUID()}/log?follow=true`;
    const signal = AbortSignal.timeout(5_000);
    expect((await fetch(url, { headers: key(), signal })).status).toBe(404);
    const run = randomUUID();
    print(run, 0, 'x');
    await acked(run, 1);
    const known = url.replace(/runs\/[^/]+/, `runs/${run}`);
    expect((await fetch(known, { method: 'HEAD', headers: key(), signal })).status).toBe(404);
  });

  it.each([
    ['a run of which there is only the report', 1, ''],
    ['an attempt before the one that was reported', 2, 'attempt=1'],
  ])('%s ends at once', async (_name, attempt, query) => {
    const other = await enrolAgent(running, 'acme');
    const report = runReport({ attempt, status: 'failed' });
    const headers = { 'idempotency-key': `${report.run_id}.${attempt}` };
    await call(other, 'POST', `${running.url}/edge/notify`, report, headers);
    // As after the progress of many newer runs.
    const { openDatabase } = await import('../../console/store/sqlite/database.ts');
    const database = openDatabase(join(running.directory, 'data', 'console.db'));
    database.sql.prepare('DELETE FROM run_progress WHERE run_id = ?').run(report.run_id);
    database.close();
    const url = `${running.url}/api/agents/${other.issuer}/runs/${report.run_id}/log?follow=true&${query}`;
    const response = await fetch(url, { headers: key(), signal: AbortSignal.timeout(9_000) });
    expect(response.status).toBe(200);
    const state = query === '' ? 'failed' : 'retried';
    expect(await response.text()).toBe(`event: end\ndata: {"state":"${state}","offset":0}\n\n`);
  });

  it('ends when the reader goes, and when the console closes', async () => {
    const closing = await startConsole();
    await addTenant(closing, 'acme');
    const mine = await enrolAgent(closing, 'acme');
    const by = await connect(mine, closing.url);
    print('r', 0, 'x', 'stdout', by);
    await acked('r', 1, 'stdout', by);
    await by.end();
    const url = `${closing.url}/api/agents/${mine.issuer}/runs/r/log?follow=true`;
    const headers = { 'x-api-key': closing.apiKey };
    const stop = new AbortController();
    await fetch(url, { headers, signal: stop.signal });
    stop.abort();
    const stays = await fetch(url, { headers });
    await closing[Symbol.asyncDispose]();
    expect(await stays.text().catch(() => '')).not.toContain('event: end');
  });
});
