import { createHash, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RunDetail, type RunRow, RunsAnswer } from '../../schemas/console/run.ts';
import type { RunReport } from '../../schemas/run.ts';
import {
  addTenant,
  call,
  type EnrolledAgent,
  enrolAgent,
  type RunningConsole,
  runReport,
  startConsole,
} from './running-console.ts';
import { command, connect, type TunnelClient } from './tunnel-client.ts';

let running: RunningConsole;
let agent: EnrolledAgent;
let other: EnrolledAgent;

beforeAll(async () => {
  running = await startConsole({ limits: { agentBurst: 10_000, strangerBurst: 10_000 } });
  await addTenant(running, 'acme');
  await addTenant(running, 'globex');
  agent = await enrolAgent(running, 'acme');
  other = await enrolAgent(running, 'globex');
});
afterAll(async () => running[Symbol.asyncDispose]());

const headers = () => ({ 'x-api-key': running.apiKey });
const runs = async (query = '') => {
  const answer = await fetch(`${running.url}/api/runs?${query}`, { headers: headers() });
  if (answer.status !== 200) throw new Error(`expected 200, found ${answer.status}: ${await answer.text()}`);
  return RunsAnswer.parse(await answer.json());
};
const rowOf = async (runId: string): Promise<RunRow | undefined> =>
  (await runs('limit=500')).runs.find(({ run_id }) => run_id === runId);
const detail = async (of: EnrolledAgent, runId: string): Promise<RunDetail> => {
  const answer = await fetch(`${running.url}/api/agents/${of.issuer}/runs/${runId}`, { headers: headers() });
  if (answer.status !== 200) throw new Error(`expected 200, found ${answer.status}: ${await answer.text()}`);
  return RunDetail.parse(await answer.json());
};
const report = async (of: EnrolledAgent, change: Partial<RunReport> = {}) => {
  const body = runReport(change);
  const key = { 'idempotency-key': `${body.run_id}.${body.attempt}` };
  const answer = await call(of, 'POST', `${running.url}/edge/notify`, body, key);
  if (!answer.ok) throw new Error(`expected 2xx, found ${answer.status}: ${await answer.text()}`);
  return body;
};
const post = async (of: EnrolledAgent, jws: string) => {
  const answer = await fetch(`${running.url}/api/agents/${of.issuer}/commands`, {
    method: 'POST',
    headers: { ...headers(), 'content-type': 'text/plain' },
    body: jws,
  });
  expect(answer.status).toBe(202);
};
const until = async (client: TunnelClient, type: string, data: unknown) => {
  const id = client.send(type, data);
  await client.next('edgeflows.ack', ({ data: ack }) => (ack as { ids: string[] }).ids.includes(id));
};

describe('the list of runs', () => {
  it('shows a run from the command that asks for it to its report, as one line', async () => {
    const client = await connect(agent, running.url);
    const run_id = randomUUID();
    const { id, jws } = await command(agent, { action: 'run', run_id, flow: 'invoice-bot' });
    await post(agent, jws);
    expect(await rowOf(run_id)).toMatchObject({
      state: 'asked',
      status: 'asked',
      trigger: 'command',
      flow: 'invoice-bot',
      tenant: 'acme',
      hostname: 'pc-1',
      attempt: 0,
      started_at: null,
    });
    await client.next('edgeflows.command', (frame) => frame.id === id);
    client.send('edgeflows.ack', { ids: [id] });
    await expect.poll(async () => (await rowOf(run_id))?.state, { timeout: 10_000 }).toBe('queued');
    const started = { run_id, attempt: 1, flow: 'invoice-bot', version: 'v1', at: '2026-11-20T15:00:00Z' };
    await until(client, 'edgeflows.run.started', started);
    expect(await rowOf(run_id)).toMatchObject({ state: 'running', version: 'v1', attempt: 1 });
    const again = { ...started, attempt: 2, at: '2026-11-20T15:00:02Z' };
    await until(client, 'edgeflows.run.started', again);
    const { stdout: _out, stderr: _err, ...ended } = runReport({ run_id, attempt: 2, trigger: 'command' });
    await until(client, 'edgeflows.run.completed', ended);
    expect(await rowOf(run_id)).toMatchObject({ state: 'succeeded', attempt: 2, exit_code: 0 });
    // a frame that was on its way takes nothing back
    await until(client, 'edgeflows.run.started', again);
    expect((await rowOf(run_id))?.state).toBe('succeeded');
    await report(agent, { run_id, attempt: 2, trigger: 'command' });
    const all = await runs('limit=500');
    expect(all.runs.filter((run) => run.run_id === run_id)).toHaveLength(1);

    const { steps, command: asked, revision } = await detail(agent, run_id);
    expect(steps.map(({ kind, by, attempt }) => [kind, by, attempt])).toEqual([
      ['asked', 'key:test', null],
      ['sent', null, null],
      ['acknowledged', null, null],
      ['started', null, 1],
      ['retried', null, 2],
      ['ended', null, 2],
      ['reported', null, 2],
    ]);
    expect(asked).toEqual({ command_id: id, state: 'acknowledged', code: null, message: null });
    expect(revision).toBe(`tenant/acme@sha1:${'b'.repeat(40)}`);
    await client.end();
  });

  it('leaves a command out of the story of a run that something else began', async () => {
    const { run_id } = await report(agent, { run_id: randomUUID(), trigger: 'schedule' });
    const before = await detail(agent, run_id);
    const { jws } = await command(agent, { action: 'run', run_id, flow: 'invoice-bot' });
    await post(agent, jws);
    expect(await detail(agent, run_id)).toEqual(before);
  });

  it('says why a run never began', async () => {
    const client = await connect(agent, running.url);
    const run_id = randomUUID();
    const { id, jws } = await command(agent, { action: 'run', run_id });
    await post(agent, jws);
    await client.next('edgeflows.command', (frame) => frame.id === id);
    client.send('edgeflows.ack', {
      ids: [],
      refused: [{ id, code: 'key_unknown', message: 'nobody’s key' }],
    });
    await expect.poll(async () => (await rowOf(run_id))?.state, { timeout: 10_000 }).toBe('refused');
    const { reason, steps, command: asked } = await detail(agent, run_id);
    expect(reason).toBe('key_unknown: nobody’s key');
    expect(steps.at(-1)).toMatchObject({ kind: 'refused', message: 'key_unknown: nobody’s key' });
    expect(asked).toMatchObject({ state: 'refused', code: 'key_unknown' });
    await client.end();
  });

  it('finds runs by words, flow, state and trigger, and goes through them page by page', async () => {
    const flow = `flow-${randomUUID().slice(0, 8)}`;
    const made = [];
    for (const [index, status] of (['succeeded', 'failed', 'timed_out', 'failed'] as const).entries()) {
      const reason = status === 'failed' ? `the Invoice ${index} is missing` : null;
      made.push(await report(agent, { flow, status, reason, trigger: index === 3 ? 'schedule' : 'local' }));
    }
    const ids = async (query: string) => (await runs(query)).runs.map(({ run_id }) => run_id);
    const newestFirst = made.map(({ run_id }) => run_id).toReversed();
    expect(await ids(`flow=${flow}`)).toEqual(newestFirst);
    expect(await ids(`flow=${flow}&state=failed`)).toEqual([made[3]?.run_id, made[1]?.run_id]);
    expect(await ids(`flow=${flow}&state=failed,timed_out&trigger=local`)).toEqual([
      made[2]?.run_id,
      made[1]?.run_id,
    ]);
    expect(await ids(`q=missing+invoice+${flow.toUpperCase()}`)).toEqual([made[3]?.run_id, made[1]?.run_id]);
    expect(await ids(`flow=${flow}&q=PC-1`)).toEqual(newestFirst);
    expect(await ids(`flow=${flow}&q=nowhere`)).toEqual([]);
    const first = await runs(`flow=${flow}&limit=3`);
    expect(first.runs).toHaveLength(3);
    const second = await runs(`flow=${flow}&limit=3&before=${first.next_before}`);
    expect([second.runs.map(({ run_id }) => run_id), second.next_before]).toEqual([[made[0]?.run_id], null]);
    expect(await ids(`flow=${flow}&since=2026-01-01T00:00:00Z&until=2026-01-02T00:00:00Z`)).toEqual([]);
  });

  it('shows nothing of a tenant that was not asked for', async () => {
    const run = await report(other, { revision: null as never });
    expect((await runs('tenant=acme&limit=500')).runs.map(({ run_id }) => run_id)).not.toContain(run.run_id);
    expect((await runs('tenant=globex')).runs.map(({ run_id }) => run_id)).toContain(run.run_id);
    const there = `${running.url}/api/agents/${other.issuer}/runs/${run.run_id}`;
    expect((await fetch(`${there}?tenant=acme`, { headers: headers() })).status).toBe(404);
    const elsewhere = `${running.url}/api/agents/${agent.issuer}/runs/${run.run_id}`;
    expect((await fetch(elsewhere, { headers: headers() })).status).toBe(404);
  });
});

describe('one run', () => {
  it('shows the end of what it printed when there is no live log, and what was left out', async () => {
    const stdout = `${'x'.repeat(70_000)}end`;
    const run = await report(agent, { stdout, stderr: 'oh', truncated: { stdout: 12, stderr: 0 } });
    const found = await detail(agent, run.run_id);
    expect(found.report_tail).toEqual({ stdout: stdout.slice(-65_536), stderr: 'oh' });
    expect(found.truncated).toEqual({ stdout: 12, stderr: 0 });
  });

  it('joins the files it left with those the agent has sent, and says how each can be shown', async () => {
    const png = Buffer.concat([Buffer.from('89504e470d0a1a0a', 'hex'), Buffer.alloc(40)]);
    const svg = Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"/>');
    const binary = Buffer.from([0, 1, 2, 3]);
    const contents: Record<string, Buffer> = { 'shot.png': png, 'page.svg': svg, 'raw.bin': binary };
    const outputs = Object.entries({ ...contents, 'later.txt': Buffer.from('x') }).map(([name, bytes]) => ({
      name,
      size: bytes.length,
      sha256: createHash('sha256').update(bytes).digest('hex'),
    }));
    const run = await report(agent, { outputs });
    for (const { name, size, sha256 } of outputs) {
      const bytes = contents[name];
      if (bytes !== undefined) await send(run.run_id, { name, size, sha256 }, bytes);
    }
    const { files } = await detail(agent, run.run_id);
    expect(files.map(({ name, show, received }) => [name, show, received])).toEqual([
      ['shot.png', 'image', png.length],
      ['page.svg', 'text', svg.length],
      ['raw.bin', 'download', 4],
      ['later.txt', 'download', null],
    ]);
    expect(files.map(({ upload_id }) => upload_id === null)).toEqual([false, false, false, true]);

    const open = (index: number, query = '') =>
      fetch(`${running.url}/api/uploads/${files[index]?.upload_id}${query}`, { headers: headers() });
    const shown = await open(0, '?show');
    expect([shown.status, shown.headers.get('content-type')]).toEqual([200, 'image/png']);
    expect(shown.headers.get('content-security-policy')).toBe("sandbox; default-src 'none'");
    expect(shown.headers.get('x-content-type-options')).toBe('nosniff');
    expect(Buffer.from(await shown.arrayBuffer()).equals(png)).toBe(true);
    // an SVG is a program, whatever its name is
    expect((await open(1, '?show')).status).toBe(415);
    const kept = await open(0);
    expect(kept.headers.get('content-type')).toBe('application/octet-stream');
    expect(kept.headers.get('content-disposition')).toMatch(/^attachment/);
    expect(kept.headers.get('content-security-policy')).toBe("sandbox; default-src 'none'");
  });
});

async function send(
  runId: string,
  { name, size, sha256 }: { name: string; size: number; sha256: string },
  bytes: Buffer,
): Promise<string> {
  const metadata = Object.entries({ name, sha256, kind: 'output', run_id: runId })
    .map(([key, value]) => `${key} ${btoa(value)}`)
    .join(',');
  const made = await call(agent, 'POST', `${running.url}/edge/uploads`, undefined, {
    'tus-resumable': '1.0.0',
    'upload-length': String(size),
    'upload-metadata': metadata,
  });
  expect(made.status).toBe(201);
  const url = String(made.headers.get('location'));
  const token = await import('../../trust/request-token.ts');
  const authorization = `Bearer ${await token.signRequestToken({ ...agent, method: 'PATCH', url, now: new Date() })}`;
  const sent = await fetch(url, {
    method: 'PATCH',
    headers: {
      authorization,
      'tus-resumable': '1.0.0',
      'upload-offset': '0',
      'content-type': 'application/offset+octet-stream',
    },
    body: new Uint8Array(bytes),
  });
  expect(sent.status).toBe(204);
  return url.split('/').at(-1) as string;
}
