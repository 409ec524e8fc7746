import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ActionAnswer, type ActionRequest } from '../../schemas/console/action.ts';
import type { PrivateJwk } from '../../schemas/jws.ts';
import type { Status } from '../../schemas/status.ts';
import { serialiseDocument, signDocument } from '../../trust/ceremony/draft.ts';
import { newKey } from '../../trust/ceremony/new-key.ts';
import { newRoot } from '../../trust/ceremony/root-draft.ts';
import {
  addTenant,
  call,
  type EnrolledAgent,
  enrolAgent,
  type RunningConsole,
  startConsole,
  statusOf,
} from './running-console.ts';
import { connect, type TunnelClient } from './tunnel-client.ts';

let running: RunningConsole;
let one: EnrolledAgent;
let two: EnrolledAgent;
let three: EnrolledAgent;
let foreign: EnrolledAgent;
const triggerKey = newKey();
const keys: Record<string, string> = {};

beforeAll(async () => {
  running = await startConsole({ limits: { agentBurst: 10_000, strangerBurst: 10_000, askBurst: 10_000 } });
  for (const slug of ['acme', 'globex']) await tenantWith(slug, triggerKey);
  [one, two, three] = [
    await enrolAgent(running, 'acme'),
    await enrolAgent(running, 'acme'),
    await enrolAgent(running, 'acme'),
  ];
  foreign = await enrolAgent(running, 'globex');
  await report(one, { flows: [flow('invoice-bot', 'v2', 'v1')] });
  await report(two, { flows: [flow('invoice-bot', 'v2', 'v1')] });
  await report(three, { flows: [flow('other-bot', 'v1', null)] });
  for (const [name, role, tenant] of [
    ['viewer', 'viewer', 'acme'],
    ['operator', 'operator', 'acme'],
    ['admin', 'admin', 'acme'],
    ['all', 'admin', '*'],
  ] as const) {
    keys[name] = await running.console.admin.newApiKey(name, { grants: [{ tenant, role }] });
  }
  const given = await give('acme', triggerKey);
  if (given.status !== 200) throw new Error(`expected 200, found ${given.status}`);
});
afterAll(async () => running[Symbol.asyncDispose]());

async function tenantWith(slug: string, trigger: PrivateJwk): Promise<void> {
  const rootKey = newKey();
  const draft = newRoot({
    expires: '2099-01-01T00:00:00Z',
    keys: { root: [rootKey], release: [newKey()], trigger: [trigger] },
  });
  const rootDocument = serialiseDocument(await signDocument(draft, rootKey, 'edgeflows-root+jws'));
  await running.console.admin.addTenant({ slug, rootDocument });
}

function flow(id: string, active: string, previous: string | null): Status['flows'][number] {
  return {
    id,
    runtime: 'python',
    desired_version: active,
    active_version: active,
    previous_version: previous,
    health: 'healthy',
    phase: 'active',
    since: '2026-11-20T15:00:00Z',
    held: null,
    quarantined: null,
    service: null,
  };
}

const report = async (agent: EnrolledAgent, change: Partial<Status>) => {
  const answer = await call(agent, 'POST', `${running.url}/edge/status`, statusOf(agent, change));
  expect(answer.status).toBe(200);
};
const send = async (path: string, method: string, as: string, body?: unknown, headers = {}) =>
  fetch(running.url + path, {
    method,
    headers: {
      'x-api-key': keys[as] ?? running.apiKey,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
const give = (slug: string, key: unknown, as = 'all') =>
  send(`/api/tenants/${slug}/trigger-key`, 'PUT', as, { key });
const post = (request: Partial<ActionRequest>, as = 'operator', headers = {}) =>
  send('/api/actions', 'POST', as, { reason: 'a test', ...request }, headers);
const ask = async (request: Partial<ActionRequest>, as?: string, headers?: Record<string, string>) => {
  const answer = await post(request, as, headers);
  const text = await answer.text();
  if (answer.status !== 200) throw new Error(`expected 200, found ${answer.status}: ${text}`);
  return ActionAnswer.parse(JSON.parse(text));
};
const refusal = async (answer: Response): Promise<[number, string]> => {
  const { error } = (await answer.json()) as { error: { code: string } };
  return [answer.status, error.code];
};
/** Once the console knows that it is there. */
const connected = async (agent: EnrolledAgent): Promise<TunnelClient> => {
  const client = await connect(agent, running.url);
  await expect.poll(async () => isThere(agent), { timeout: 10_000 }).toBe(true);
  return client;
};
const leave = async (agent: EnrolledAgent, client: TunnelClient) => {
  await client.end();
  await expect.poll(async () => isThere(agent), { timeout: 10_000 }).toBe(false);
};
const isThere = async (agent: EnrolledAgent) => {
  const answer = await send(`/api/agents/${agent.issuer}`, 'GET', 'all');
  return ((await answer.json()) as { tunnel: { connected: boolean } }).tunnel.connected;
};
const inDatabase = async (statement: string) => {
  const { DatabaseSync } = await import('node:sqlite');
  const { join } = await import('node:path');
  const database = new DatabaseSync(join(running.directory, 'data', 'console.db'), { timeout: 10_000 });
  database.exec(statement);
  database.close();
};
const commandsOf = async (agent: EnrolledAgent) => {
  const answer = await send(`/api/agents/${agent.issuer}/commands?limit=500`, 'GET', 'all');
  const { commands } = (await answer.json()) as {
    commands: { command_id: string; action: string; asked_by: string; why: string; expires_at: string }[];
  };
  return commands;
};
const audit = async (action: string) => {
  const answer = await send(`/api/audit?action=${action}`, 'GET', 'all');
  return (
    (await answer.json()) as { entries: { agent_id: string; by: string; reason: string; message: string }[] }
  ).entries;
};

describe('a trigger key at the console', () => {
  it('is shown by its thumbprint alone, and lies sealed on the disk', async () => {
    const answer = await give('acme', triggerKey);
    const text = await answer.text();
    expect(JSON.parse(text)).toMatchObject({ trigger_key: { kid: triggerKey.kid, added_by: 'key:all' } });
    expect(text).not.toContain(triggerKey.d);
    const { readFile, readdir } = await import('node:fs/promises');
    const { join } = await import('node:path');
    const data = join(running.directory, 'data');
    const names = (await readdir(data)).filter((name) => name.startsWith('console.db'));
    expect(names.length).toBeGreaterThan(0);
    for (const name of names) expect((await readFile(join(data, name))).includes(triggerKey.d)).toBe(false);
    expect(await audit('trigger_key_set')).toMatchObject([{ by: 'key:all' }, { by: 'key:all' }]);
  });

  it('is refused when no root lists it for that role, when its halves differ, and from who is no admin', async () => {
    expect(await refusal(await give('acme', newKey()))).toEqual([422, 'key_not_allowed']);
    expect(await refusal(await give('acme', { ...triggerKey, x: newKey().x }))).toEqual([422, 'key_invalid']);
    expect(await refusal(await give('acme', triggerKey, 'operator'))).toEqual([403, 'role_too_small']);
    expect(await refusal(await give('globex', triggerKey, 'admin'))).toEqual([404, 'not_found']);
  });

  it('is what commands need: without it there is reconcile and revoke', async () => {
    const agents = [foreign.issuer];
    const { outcomes } = await ask({ action: 'suspend', targets: { agents } }, 'all');
    expect(outcomes).toMatchObject([{ outcome: 'refused', code: 'no_trigger_key' }]);
    const client = await connected(foreign);
    const { counts } = await ask({ action: 'reconcile', targets: { agents } }, 'all');
    expect(counts).toMatchObject({ nudged: 1, refused: 0 });
    await client.next('edgeflows.reconcile.request');
    await leave(foreign, client);
  });

  it('can be taken away again', async () => {
    expect((await give('globex', triggerKey)).status).toBe(200);
    const agents = [foreign.issuer];
    expect((await ask({ action: 'resume', targets: { agents } }, 'all')).counts.queued).toBe(1);
    const gone = await send('/api/tenants/globex/trigger-key', 'DELETE', 'all');
    expect(await gone.json()).toEqual({ trigger_key: null });
    expect((await ask({ action: 'resume', targets: { agents } }, 'all')).outcomes[0]?.code).toBe(
      'no_trigger_key',
    );
  });
});

describe('POST /api/actions', () => {
  it('signs a command for each agent, which it brings to those that are connected, with the reason', async () => {
    const client = await connected(one);
    const done = await ask({
      action: 'run',
      flow: 'invoice-bot',
      inputs: { n: 1 },
      targets: { agents: [one.issuer, two.issuer] },
    });
    expect(done.counts).toEqual({ total: 2, queued: 2, nudged: 0, done: 0, refused: 0, offline: 1 });
    const [mine] = done.outcomes.filter(({ agent_id }) => agent_id === one.issuer);
    const frame = await client.next('edgeflows.command', ({ id }) => id === mine?.command_id);
    const payload: unknown = JSON.parse(
      Buffer.from(String(frame.data).split('.')[1] ?? '', 'base64url').toString(),
    );
    expect(payload).toMatchObject({
      action: 'run',
      run_id: mine?.run_id,
      flow: 'invoice-bot',
      inputs: { n: 1 },
      agent_id: one.issuer,
      tenant: 'acme',
    });
    expect((await commandsOf(one))[0]).toMatchObject({ asked_by: 'key:operator', why: 'a test' });
    expect((await audit('run_asked'))[0]).toMatchObject({ by: 'key:operator', reason: 'a test' });
    await leave(one, client);
  });

  it('says in a dry run what would happen, and does nothing', async () => {
    const before = [await commandsOf(one), await commandsOf(two), await commandsOf(three)];
    const agents = [one.issuer, two.issuer, three.issuer];
    const told = await ask({ action: 'rollback', flow: 'invoice-bot', dry_run: true, targets: { agents } });
    expect(told).toMatchObject({
      dry_run: true,
      counts: { total: 3, queued: 2, refused: 1 },
      versions: [{ flow: 'invoice-bot', from: 'v2', to: 'v1', agents: 2 }],
    });
    expect(told.outcomes[0]).toMatchObject({
      agent_id: three.issuer,
      outcome: 'refused',
      code: 'flow_unknown',
    });
    expect(told.outcomes[1]?.message).toContain('within 24 h');
    expect([await commandsOf(one), await commandsOf(two), await commandsOf(three)]).toEqual(before);
  });

  it('refuses by name what an agent could not do', async () => {
    const about = async (request: Partial<ActionRequest>, agent = one) =>
      (await ask({ ...request, dry_run: true, targets: { agents: [agent.issuer] } })).outcomes[0]?.code;
    expect(await about({ action: 'run', flow: 'nothing' })).toBe('flow_unknown');
    expect(await about({ action: 'run', flow: 'invoice-bot', version: 'v1' })).toBe('version_not_active');
    expect(await about({ action: 'rollback', flow: 'other-bot' }, three)).toBe('no_previous_version');
    expect(await about({ action: 'cancel', run_id: randomUUID() })).toBe('run_unknown');
    expect(await about({ action: 'reconcile' })).toBe('not_connected');
  });

  it('refuses a rollback to the version that has just failed, and takes it once another is wanted', async () => {
    const failed = {
      ...flow('broken-bot', 'v2', 'v3'),
      desired_version: 'v3',
      phase: 'stalled',
      quarantined: { sha256: 'a'.repeat(64), reason: 'v3 failed its health check: exit 1' },
    } as const;
    const rollback: Partial<ActionRequest> = {
      action: 'rollback',
      flow: 'broken-bot',
      targets: { agents: [three.issuer] },
    };
    await report(three, { flows: [flow('other-bot', 'v1', null), failed] });
    for (const dry_run of [true, false]) {
      const told = await ask({ ...rollback, dry_run });
      expect(told).toMatchObject({ counts: { total: 1, refused: 1 }, versions: [] });
      expect(told.outcomes[0]).toMatchObject({ outcome: 'refused', code: 'previous_quarantined' });
      expect(told.outcomes[0]?.message).toContain('found v3 quarantined: v3 failed its health check: exit 1');
    }
    const takes = async (to: string, change: Partial<Status>) => {
      await report(three, change);
      const told = await ask({ ...rollback, dry_run: true });
      expect(told).toMatchObject({ counts: { refused: 0 }, versions: [{ from: 'v2', to, agents: 1 }] });
    };
    // The digest in quarantine is that of the version that is wanted: the one before is another here, and here, for all its name.
    await takes('v1', { flows: [{ ...failed, previous_version: 'v1' }] });
    const onDisk = { version: 'v3', sha256: 'b'.repeat(64), bytes: 1, use: 'previous' } as const;
    await takes('v3', { flows: [failed], versions: [{ flow: 'broken-bot', ...onDisk }] });
    await report(three, { flows: [flow('other-bot', 'v1', null)] });
  });

  it('refuses a request that lacks what it needs, or has what means nothing', async () => {
    const targets = { agents: [one.issuer] };
    const cases: Partial<ActionRequest>[] = [
      { action: 'run' },
      { action: 'cancel' },
      { action: 'suspend', flow: 'invoice-bot' },
      { action: 'suspend', until: '2020-01-01T00:00:00Z' },
      { action: 'run', flow: 'invoice-bot', timeout: 'soon' },
      { action: 'run', flow: 'invoice-bot', version: '..' },
    ];
    for (const each of cases) {
      expect([each, await refusal(await post({ ...each, targets }))]).toEqual([
        each,
        [422, 'action_invalid'],
      ]);
    }
    expect(await refusal(await post({ action: 'resume', reason: ' ', targets }))).toEqual([
      422,
      'body_invalid',
    ]);
  });

  it('refuses inputs that are nested deeper than anything reads', async () => {
    const nested = (levels: number) => JSON.parse(`${'['.repeat(levels)}${']'.repeat(levels)}`) as unknown;
    const run = { action: 'run' as const, flow: 'invoice-bot', targets: { agents: [one.issuer] } };
    for (const levels of [64, 3_000]) {
      const answer = await post({ ...run, dry_run: true, inputs: { a: nested(levels) } });
      expect(await refusal(answer)).toEqual([422, 'body_invalid']);
      const asked = { agent_id: one.issuer, inputs: { a: nested(levels) } };
      expect(await refusal(await send('/flows/invoice-bot/run', 'POST', 'operator', asked))).toEqual([
        422,
        'body_invalid',
      ]);
    }
  });

  it('refuses in a dry run, too, what is more than a command can hold', async () => {
    const nested = JSON.parse(`${'['.repeat(40)}${']'.repeat(40)}`) as unknown;
    for (const inputs of [{ a: 'x'.repeat(60_000) }, { a: nested }]) {
      const run = { action: 'run' as const, flow: 'invoice-bot', inputs, targets: { agents: [one.issuer] } };
      const [foreseen, done] = [await ask({ ...run, dry_run: true }), await ask(run)];
      expect(foreseen.outcomes).toEqual(done.outcomes);
      expect(done.outcomes).toMatchObject([{ outcome: 'refused' }]);
    }
  });

  it('does what a filter finds, and nothing when it finds another number than was shown', async () => {
    const filter = { flow: 'invoice-bot' };
    const shown = await ask({ action: 'suspend', dry_run: true, targets: { filter, expected: 1 } });
    expect(shown.counts.total).toBe(2);
    expect(await refusal(await post({ action: 'suspend', targets: { filter, expected: 1 } }))).toEqual([
      409,
      'selection_changed',
    ]);
    const done = await ask({ action: 'suspend', targets: { filter, expected: 2 } });
    expect(done.outcomes.map(({ agent_id }) => agent_id).toSorted()).toEqual(
      [one.issuer, two.issuer].toSorted(),
    );
  });

  it('asks for the role in every tenant of the selection, and knows nothing of others', async () => {
    const targets = { agents: [one.issuer] };
    expect(await refusal(await post({ action: 'resume', targets }, 'viewer'))).toEqual([
      403,
      'role_too_small',
    ]);
    expect(await refusal(await post({ action: 'revoke', targets }))).toEqual([403, 'role_too_small']);
    // Nor may one who may ask nothing of anybody try what a filter finds.
    const nobody = { filter: { q: 'nobody-has-this-name' }, expected: 1 };
    expect(await refusal(await post({ action: 'resume', targets: nobody }, 'viewer'))).toEqual([
      403,
      'role_too_small',
    ]);
    const other = { agents: [one.issuer, foreign.issuer] };
    expect(await refusal(await post({ action: 'resume', targets: other }))).toEqual([404, 'agent_unknown']);
    const all = await ask({ action: 'resume', dry_run: true, targets: { filter: {}, expected: 1 } });
    expect(all.outcomes.map(({ tenant }) => tenant)).toEqual(['acme', 'acme', 'acme']);
  });

  it('does a repeated request once, and takes no other one under its key', async () => {
    const headers = { 'idempotency-key': randomUUID() };
    const request: Partial<ActionRequest> = {
      action: 'run',
      flow: 'invoice-bot',
      targets: { agents: [one.issuer, two.issuer] },
    };
    const first = await ask(request, 'operator', headers);
    const again = await post(request, 'operator', headers);
    expect(again.headers.get('idempotency-replayed')).toBe('true');
    expect(await again.json()).toEqual(first);
    const ids = new Set(first.outcomes.map(({ command_id }) => command_id));
    expect((await commandsOf(one)).filter(({ command_id }) => ids.has(command_id))).toHaveLength(1);
    expect(await refusal(await post({ ...request, reason: 'another' }, 'operator', headers))).toEqual([
      422,
      'idempotency_key_reused',
    ]);
    // so is one about fewer tenants: a filter finds others there
    const narrowed = { reason: 'a test', ...request };
    expect(
      await refusal(await send('/api/actions?tenant=acme', 'POST', 'operator', narrowed, headers)),
    ).toEqual([422, 'idempotency_key_reused']);
    // the key of another actor is another key
    const others = await ask(request, 'admin', headers);
    expect(others.outcomes[0]?.command_id).not.toBe(first.outcomes[0]?.command_id);
    expect(await refusal(await post(request, 'operator', { 'idempotency-key': 'a b' }))).toEqual([
      400,
      'idempotency_key_invalid',
    ]);
  });

  it('repeats an answer only to who may ask the same now', async () => {
    const grants = ['acme', 'globex'].map((tenant) => ({ tenant, role: 'operator' as const }));
    keys['leaving'] = await running.console.admin.newApiKey('leaving', { grants });
    const headers = { 'idempotency-key': randomUUID() };
    const request = { action: 'resume' as const, targets: { agents: [one.issuer] } };
    const ofFlow = { 'idempotency-key': randomUUID() };
    const run = async () =>
      send('/flows/invoice-bot/run', 'POST', 'leaving', { agent_id: one.issuer }, ofFlow);
    expect((await post(request, 'leaving', headers)).status).toBe(200);
    expect((await run()).status).toBe(202);
    const grant = `tenant = 'acme' AND key_id = (SELECT key_id FROM api_keys WHERE label = 'leaving')`;
    await inDatabase(`UPDATE api_key_grants SET role = 'viewer' WHERE ${grant}`);
    const small = [403, 'role_too_small'];
    expect(await refusal(await post(request, 'leaving', headers))).toEqual(small);
    expect(await refusal(await run())).toEqual(small);
    await inDatabase(`DELETE FROM api_key_grants WHERE ${grant}`);
    expect(await refusal(await post(request, 'leaving', headers))).toEqual([404, 'agent_unknown']);
    expect(await refusal(await run())).toEqual([404, 'flow_unknown']);
  });

  it('does the rest when the console went down in the middle, and what was done not again', async () => {
    const headers = { 'idempotency-key': randomUUID() };
    const request: Partial<ActionRequest> = {
      action: 'suspend',
      targets: { agents: [one.issuer, two.issuer] },
    };
    const first = await ask(request, 'operator', headers);
    const { DatabaseSync } = await import('node:sqlite');
    const { join } = await import('node:path');
    const database = new DatabaseSync(join(running.directory, 'data', 'console.db'), { timeout: 10_000 });
    const lost = first.outcomes.find(({ agent_id }) => agent_id === two.issuer)?.command_id ?? '';
    database.prepare('DELETE FROM commands WHERE command_id = ?').run(lost);
    database
      .prepare('UPDATE repeatable_requests SET answer = NULL WHERE key = ?')
      .run(headers['idempotency-key']);
    database.close();
    const before = (await commandsOf(one)).length;
    const again = await ask(request, 'operator', headers);
    expect(again.outcomes.map(({ command_id }) => command_id)).toEqual(
      first.outcomes.map(({ command_id }) => command_id),
    );
    expect((await commandsOf(one)).length).toBe(before);
    expect((await commandsOf(two))[0]?.command_id).toBe(lost);
  });

  it('revokes as an admin, with the reason', async () => {
    const gone = await enrolAgent(running, 'acme');
    const targets = { agents: [gone.issuer] };
    const done = await ask({ action: 'revoke', reason: 'stolen', targets }, 'admin');
    expect(done.counts).toMatchObject({ done: 1 });
    const shown = await send(`/api/agents/${gone.issuer}`, 'GET', 'all');
    expect(await shown.json()).toMatchObject({ revoked_by: 'key:admin', revoked_why: 'stolen' });
    const again = await ask({ action: 'suspend', targets });
    expect(again.outcomes).toMatchObject([{ outcome: 'refused', code: 'agent_revoked' }]);
  });

  it('is done for others, too, while somebody has as many under way as one may', async () => {
    const asks = async (key: 'operator' | 'admin') =>
      (await post({ action: 'resume', targets: { agents: [one.issuer] } }, key)).status;
    expect([await asks('operator'), await asks('admin')]).toEqual([200, 200]);
    // as long as another process writes, an action is under way
    const { DatabaseSync } = await import('node:sqlite');
    const { join } = await import('node:path');
    const lock = new DatabaseSync(join(running.directory, 'data', 'console.db'), { timeout: 10_000 });
    lock.exec('BEGIN IMMEDIATE');
    const greedy = [asks('operator'), asks('operator'), asks('operator')];
    const soonest = await Promise.race(greedy);
    const modest = asks('admin');
    await Promise.race([modest, new Promise((wake) => setTimeout(wake, 200))]);
    lock.exec('ROLLBACK');
    lock.close();
    expect([soonest, (await Promise.all(greedy)).toSorted((a, b) => a - b)]).toEqual([429, [200, 200, 429]]);
    expect(await modest).toBe(200);
  });

  it('is slowed for who asks too often', async () => {
    await using slow = await startConsole({ limits: { askBurst: 2, askPerSecond: 0.01 } });
    const answers = [];
    for (let count = 0; count < 3; count += 1) {
      const answer = await fetch(`${slow.url}/api/actions`, {
        method: 'POST',
        headers: { 'x-api-key': slow.apiKey, 'content-type': 'application/json' },
        body: '{}',
      });
      answers.push(answer.status);
    }
    expect(answers).toEqual([422, 422, 429]);
    // what the Builder runs is asked by the same key
    const run = await fetch(`${slow.url}/flows/invoice-bot/run`, {
      method: 'POST',
      headers: { 'x-api-key': slow.apiKey, 'content-type': 'application/json' },
      body: '{}',
    });
    expect(run.status).toBe(429);
  });

  it('keeps so many answers of one caller for a repeat, and says what to do at one more', async () => {
    await using small = await startConsole({ limits: { repeatableAnswers: 2 } });
    const asked = async (key?: string) =>
      fetch(`${small.url}/api/actions`, {
        method: 'POST',
        headers: {
          'x-api-key': small.apiKey,
          'content-type': 'application/json',
          ...(key === undefined ? {} : { 'idempotency-key': key }),
        },
        body: JSON.stringify({ action: 'resume', reason: 'x', targets: { filter: {}, expected: 1 } }),
      });
    await addTenant(small, 'acme');
    await enrolAgent(small, 'acme');
    expect([(await asked('a')).status, (await asked('b')).status]).toEqual([200, 200]);
    const more = await asked('c');
    expect(Number(more.headers.get('retry-after'))).toBeGreaterThan(23 * 60 * 60);
    expect(await more.json()).toMatchObject({
      error: { code: 'too_many_keys', message: expect.stringContaining('leave the key out') as string },
    });
    expect([more.status, (await asked('a')).status, (await asked()).status]).toEqual([429, 200, 200]);
  });
});
