import { createHash } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createLiveFeed, feedFromState } from '../../../console/live/live-feed.ts';
import { liveStream } from '../../../console/live/live-stream.ts';
import type { AuditEntry, AuditStore } from '../../../console/store/ports/audit.ts';
import { createAuditStore } from '../../../console/store/sqlite/audit.ts';
import { openDatabase } from '../../../console/store/sqlite/database.ts';
import { NewKeyAnswer } from '../../../schemas/console/keys.ts';
import { LiveChange } from '../../../schemas/console/live.ts';
import type { Grant } from '../../../schemas/console/people.ts';
import { formatUploadMetadata } from '../../../schemas/upload-metadata.ts';
import {
  addTenant,
  call,
  type EnrolledAgent,
  enrolAgent,
  type RunningConsole,
  startConsole,
  statusOf,
} from '../running-console.ts';

let running: RunningConsole;
let agent: EnrolledAgent;
let stranger: EnrolledAgent;
beforeAll(async () => {
  running = await startConsole({ limits: { agentBurst: 10_000, liveBeatMs: 100 } });
  await addTenant(running, 'acme');
  await addTenant(running, 'globex');
  agent = await enrolAgent(running, 'acme');
  stranger = await enrolAgent(running, 'globex');
});
afterAll(async () => running[Symbol.asyncDispose]());

interface Reader extends AsyncDisposable {
  readonly response: Response;
  /** All that was told until now, with when it was. */
  readonly told: { readonly at: number; readonly change: LiveChange }[];
  readonly ended: Promise<void>;
}

/** Reads until it is disposed of, or the console ends it. The first word has been read when it resolves. */
async function read(query = '', key = running.apiKey): Promise<Reader> {
  const controller = new AbortController();
  const response = await fetch(`${running.url}/api/live${query}`, {
    headers: { 'x-api-key': key },
    signal: controller.signal,
  });
  const told: { at: number; change: LiveChange }[] = [];
  const first = Promise.withResolvers<void>();
  const follow = async () => {
    let text = '';
    const body = response.body ?? new ReadableStream<Uint8Array>();
    for await (const part of body.pipeThrough(new TextDecoderStream())) {
      text += part;
      const blocks = text.split('\n\n');
      text = blocks.pop() ?? '';
      for (const block of blocks) {
        if (block.includes('event: hello')) first.resolve();
        const data = /^event: changed\ndata: (.*)$/m.exec(block)?.[1];
        if (data !== undefined)
          told.push({ at: performance.now(), change: LiveChange.parse(JSON.parse(data)) });
      }
    }
  };
  const ended = follow().catch(() => {});
  if (response.status === 200) await first.promise;
  return {
    response,
    told,
    ended,
    async [Symbol.asyncDispose]() {
      controller.abort();
      await ended;
    },
  };
}

const report = async (of: EnrolledAgent) => {
  const response = await call(of, 'POST', `${running.url}/edge/status`, statusOf(of));
  expect(response.status).toBe(200);
};
const named = (reader: Reader, of: EnrolledAgent) =>
  reader.told.find(({ change }) => Array.isArray(change.agents) && change.agents.includes(of.issuer));
const api = async (method: string, path: string, body?: unknown) =>
  fetch(running.url + path, {
    method,
    headers: {
      'x-api-key': running.apiKey,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
const UNCHANGED = { state: false, flows: false, revisions: false };

/** The best of three, so that a machine that was busy for a moment is not taken for a slow console. */
async function soonest(measure: () => Promise<number>): Promise<number> {
  const found: number[] = [];
  while (found.length < 3 && !found.some((ms) => ms < 1_000)) found.push(await measure());
  return Math.min(...found);
}

describe('GET /api/live', () => {
  it('tells of a status within a second of its arrival', async () => {
    const ms = await soonest(async () => {
      await using reader = await read();
      const arrived = running.console.notices.status
        .waitFor(({ agent_id }) => agent_id === agent.issuer, AbortSignal.timeout(20_000))
        .then(() => performance.now());
      await report(agent);
      const since = await arrived;
      await expect.poll(() => named(reader, agent), { timeout: 20_000, interval: 10 }).toBeDefined();
      return (named(reader, agent)?.at ?? Number.NaN) - since;
    });
    expect(ms).toBeLessThan(1_000);
  });

  it('does so under a thousand statuses a second, in a few words for all of them', async () => {
    await using reader = await read();
    const from = performance.now();
    const flood = setInterval(() => {
      for (let each = 0; each < 50; each += 1) {
        const agent_id = `a-${Math.trunc(performance.now())}-${each}`;
        const status = statusOf(agent);
        running.console.notices.status.publish({ tenant: 'acme', agent_id, status, changed: UNCHANGED });
      }
    }, 50);
    try {
      await expect.poll(() => reader.told.length, { timeout: 20_000 }).toBeGreaterThan(3);
      const ms = await soonest(async () => {
        const before = reader.told.length;
        const at = performance.now();
        await report(stranger);
        await expect
          .poll(() => reader.told.length, { timeout: 20_000, interval: 10 })
          .toBeGreaterThan(before);
        return (reader.told[before]?.at ?? Number.NaN) - at;
      });
      expect(ms).toBeLessThan(1_000);
    } finally {
      clearInterval(flood);
    }
    const seconds = (performance.now() - from) / 1_000;
    expect(reader.told.length).toBeLessThan(4 * seconds + 2);
    expect(reader.told.some(({ change }) => change.agents === 'many')).toBe(true);
  });

  it('tells of tokens and of the audit when one is made or revoked', async () => {
    await using reader = await read('?tenant=acme');
    const headers = { 'x-api-key': running.apiKey, 'content-type': 'application/json' };
    const body = JSON.stringify({ tenant: 'acme' });
    const told = () => reader.told.filter(({ change }) => change.tokens && change.audit).length;
    const made = await fetch(`${running.url}/api/tokens`, { method: 'POST', headers, body });
    const { token_id: id } = (await made.json()) as { token_id: string };
    await expect.poll(told, { timeout: 20_000, interval: 10 }).toBe(1);
    const key = { 'x-api-key': running.apiKey };
    await fetch(`${running.url}/api/tokens/${id}`, { method: 'DELETE', headers: key });
    await expect.poll(told, { timeout: 20_000, interval: 10 }).toBe(2);
  });

  it('tells of whatever is written into the audit, to those who may read that row', async () => {
    const { secret } = await makeKey([{ tenant: 'acme', role: 'viewer' }]);
    await using reader = await read('', secret);
    await using other = await read('?tenant=globex');
    const { key } = await makeKey([{ tenant: 'acme', role: 'viewer' }]);
    const told = () => reader.told.filter(({ change }) => change.audit).length;
    await expect.poll(told, { timeout: 20_000, interval: 10 }).toBe(1);
    const asked = await api('DELETE', `/api/keys/${key.id}`);
    expect(asked.status).toBe(200);
    await expect.poll(told, { timeout: 20_000, interval: 10 }).toBe(2);
    const gone = await enrolAgent(running, 'acme');
    expect((await api('POST', `/api/agents/${gone.issuer}/revoke`, {})).status).toBe(200);
    const revoked = () =>
      reader.told.some(({ change }) => change.audit && change.agents.includes(gone.issuer));
    await expect.poll(revoked, { timeout: 20_000, interval: 10 }).toBe(true);
    expect(other.told).toEqual([]);
  });

  it('tells of the agent of a row, and that every agent of a tenant is another one when the tenant is', async () => {
    const feed = createLiveFeed(() => new Date());
    const told: LiveChange[] = [];
    const silent = () => () => {};
    let note: Parameters<AuditStore['onWritten']>[0] = silent;
    const onWritten: AuditStore['onWritten'] = (hear) => {
      note = hear;
      return silent();
    };
    const audit = { onWritten };
    feedFromState(feed, { audit, uploads: { onChanged: silent } });
    feed.subscribe(['acme'], (change) => told.push(change));
    const row = { agent_id: null, by: 'operator', message: '' };
    note({ ...row, action: 'reconcile_asked', tenant: 'acme', agent_id: 'a1' });
    await expect.poll(() => told, { timeout: 20_000 }).toMatchObject([{ agents: ['a1'], audit: true }]);
    note({ ...row, action: 'trigger_key_set', tenant: 'acme' });
    await expect
      .poll(() => told.slice(1), { timeout: 20_000 })
      .toMatchObject([{ agents: 'many', audit: true, tokens: false }]);
  });

  it('tells all to look again when another process has written, such as a verb of the shell', async () => {
    const key = await running.console.admin.newApiKey('acme', {
      grants: [{ tenant: 'acme', role: 'operator' }],
    });
    await using reader = await read('', key);
    const elsewhere = openDatabase(join(running.directory, 'data', 'console.db'));
    const row = { action: 'person_invited', tenant: 'acme', agent_id: null, by: 'operator', message: 'x' };
    await createAuditStore(elsewhere).note(row as AuditEntry, new Date());
    elsewhere.close();
    const all = { agents: 'many', runs: 'many', flows: true, releases: true, events: true };
    await expect
      .poll(() => reader.told.map(({ change }) => change), { timeout: 20_000, interval: 50 })
      .toContainEqual({
        ...all,
        commands: true,
        audit: true,
        tokens: true,
        time: expect.any(String) as string,
      });
  });

  it('tells of a run when a file of it has arrived, and when it was taken away', async () => {
    await using reader = await read('?tenant=acme');
    const told = () => reader.told.filter(({ change }) => change.runs.includes('r-1')).length;
    const metadata = {
      name: 'result.txt',
      sha256: createHash('sha256').digest('hex'),
      kind: 'output',
      run_id: 'r-1',
      flow: 'invoice-bot',
      purpose: null,
    } as const;
    const made = await call(agent, 'POST', `${running.url}/edge/uploads`, undefined, {
      'tus-resumable': '1.0.0',
      'upload-length': '0',
      'upload-metadata': formatUploadMetadata(metadata),
    });
    expect(made.status).toBe(201);
    await expect.poll(told, { timeout: 20_000, interval: 10 }).toBe(1);
    const id = made.headers.get('location')?.split('/').at(-1);
    expect((await api('DELETE', `/api/uploads/${id}`)).status).toBe(204);
    await expect.poll(told, { timeout: 20_000, interval: 10 }).toBeGreaterThan(1);
  });

  it('tells nobody of a tenant that they may not see', async () => {
    const grants: Grant[] = [{ tenant: 'globex', role: 'viewer' }];
    const { secret } = await makeKey(grants);
    await using reader = await read('', secret);
    await using narrowed = await read('?tenant=globex');
    await report(agent);
    await report(stranger);
    await expect.poll(() => named(reader, stranger), { timeout: 20_000 }).toBeDefined();
    await expect.poll(() => named(narrowed, stranger), { timeout: 20_000 }).toBeDefined();
    expect(JSON.stringify([reader.told, narrowed.told])).not.toContain(agent.issuer);
  });

  it('ends when the key that it was asked with is revoked', async () => {
    const { key, secret } = await makeKey([{ tenant: '*', role: 'viewer' }]);
    await using reader = await read('', secret);
    const gone = await fetch(`${running.url}/api/keys/${key.id}`, {
      method: 'DELETE',
      headers: { 'x-api-key': running.apiKey },
    });
    expect(gone.status).toBe(200);
    await reader.ended;
    expect((await read('', secret)).response.status).toBe(401);
  });

  it('takes no more readers than it is told to', async () => {
    await using own = await startConsole({ limits: { liveSubscribers: 1 } });
    const ask = async () => {
      const controller = new AbortController();
      const headers = { 'x-api-key': own.apiKey };
      const response = await fetch(`${own.url}/api/live`, { headers, signal: controller.signal });
      return { status: response.status, leave: () => controller.abort() };
    };
    const first = await ask();
    const second = await ask();
    expect([first.status, second.status]).toEqual([200, 503]);
    first.leave();
    await expect.poll(async () => (await ask()).status, { timeout: 20_000 }).toBe(200);
  });

  it('gives one reader no more than a share, and has room for the others then', async () => {
    await using own = await startConsole({ limits: { liveSubscribersEach: 1 } });
    const modest = await own.console.admin.newApiKey('modest', { grants: [{ tenant: '*', role: 'viewer' }] });
    const leaving = new AbortController();
    const found: number[] = [];
    for (const key of [own.apiKey, own.apiKey, modest]) {
      const headers = { 'x-api-key': key };
      found.push((await fetch(`${own.url}/api/live`, { headers, signal: leaving.signal })).status);
    }
    leaving.abort();
    expect(found).toEqual([200, 429, 200]);
  });

  it('does not wait for a reader that does not read', async () => {
    const feed = createLiveFeed(() => new Date());
    const answer = new PassThrough({ highWaterMark: 1_024 });
    const stream = liveStream(
      {
        feed,
        answer: answer as unknown as ServerResponse,
        stands: async () => true,
        leaving: new AbortController().signal,
        bufferBytes: 4_096,
        beatMs: 1,
        now: () => new Date(),
      },
      '*',
    );
    expect(await stream).toBe('too_slow');
    expect(answer.writableLength).toBeLessThan(8_192);
    feed.close();
  });
});

async function makeKey(grants: readonly Grant[]) {
  const response = await fetch(`${running.url}/api/keys`, {
    method: 'POST',
    headers: { 'x-api-key': running.apiKey, 'content-type': 'application/json' },
    body: JSON.stringify({ label: 'a page', grants }),
  });
  expect(response.status).toBe(201);
  return NewKeyAnswer.parse(await response.json());
}
