import { createHash, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AgentDetail, AgentsAnswer, HistoryAnswer } from '../../../schemas/console/agent.ts';
import { EventsAnswer } from '../../../schemas/console/event.ts';
import { Overview } from '../../../schemas/console/overview.ts';
import { FlowRow, FlowsAnswer, ReleaseDetail, ReleasesAnswer } from '../../../schemas/console/release.ts';
import type { Event } from '../../../schemas/event.ts';
import type { FlowStatus, Status } from '../../../schemas/status.ts';
import {
  addTenant,
  call,
  type EnrolledAgent,
  enrolAgent,
  publish,
  type RunningConsole,
  runReport,
  startConsole,
  statusOf,
} from '../running-console.ts';

const AT = '2026-11-20T15:00:00Z';
let running: RunningConsole;
let tenant: Awaited<ReturnType<typeof addTenant>>;
let broken: EnrolledAgent;
let well: EnrolledAgent;
let silent: EnrolledAgent;
let stranger: EnrolledAgent;

const get = async (path: string, status = 200): Promise<unknown> => {
  const response = await fetch(running.url + path, { headers: { 'x-api-key': running.apiKey } });
  const body: unknown = await response.json();
  expect([path, response.status, response.status === status ? null : body]).toEqual([path, status, null]);
  return body;
};
const list = async (query: string) => AgentsAnswer.parse(await get(`/api/agents?${query}`));
const found = async (query: string) => (await list(query)).agents.map(({ agent_id }) => agent_id);
const report = async (agent: EnrolledAgent, change: Partial<Status>) => {
  const response = await call(agent, 'POST', `${running.url}/edge/status`, statusOf(agent, change));
  expect(response.status).toBe(200);
};
const rev = (slug: string, digit: string) => `tenant/${slug}@sha1:${digit.repeat(40)}`;
const source = (desired: string, applied: string | null): Status['source'] => ({
  kind: 'git',
  desired_revision: desired,
  last_attempted_revision: desired,
  last_applied_revision: applied,
  last_sync_at: AT,
  next_attempt_at: null,
  commit: { subject: 'Mend the invoices', author: 'Ann', time: AT },
});
const flow = (active: string, desired: string, change: Partial<FlowStatus> = {}): FlowStatus => ({
  id: 'invoice-bot',
  runtime: 'python',
  desired_version: desired,
  active_version: active,
  previous_version: null,
  health: 'healthy',
  phase: 'active',
  since: AT,
  held: null,
  quarantined: null,
  service: null,
  ...change,
});
const condition = (type: 'Ready' | 'Stalled', status: 'True' | 'False', reason: string, message: string) => ({
  type,
  status,
  reason,
  message,
  observed_revision: null,
  changed_at: AT,
});
const READY = condition('Ready', 'True', 'RevisionApplied', 'it is applied in full');

beforeAll(async () => {
  running = await startConsole({ limits: { strangerBurst: 10_000, agentBurst: 10_000 } });
  tenant = await addTenant(running, 'acme');
  await addTenant(running, 'globex');
  [broken, well, silent] = [
    await enrolAgent(running, 'acme'),
    await enrolAgent(running, 'acme'),
    await enrolAgent(running, 'acme'),
  ];
  stranger = await enrolAgent(running, 'globex');
  await report(well, {
    labels: { ring: 'canary', site: 'Zürich' },
    conditions: [READY],
    source: source(rev('acme', 'b'), rev('acme', 'b')),
    flows: [flow('v2', 'v2')],
    trust: { mode: 'required', root_version: 1, seq: 7, release_expires: null },
  });
  await report(broken, {
    labels: { ring: 'broad' },
    conditions: [
      condition('Ready', 'False', 'quarantined', 'expected 9f86, found 5feb'),
      condition('Stalled', 'True', 'quarantined', 'expected 9f86, found 5feb'),
    ],
    source: source(rev('acme', 'b'), rev('acme', 'a')),
    flows: [flow('v1', 'v2')],
  });
  await report(stranger, { conditions: [READY], flows: [flow('v9', 'v9')] });
});
afterAll(async () => running[Symbol.asyncDispose]());

describe('GET /api/agents', () => {
  it('shows the worst first, with the condition that says what is wrong word for word', async () => {
    const { agents, total, states } = await list('tenant=acme');
    expect(agents.map(({ state }) => state)).toEqual(['stalled', 'waiting', 'ready']);
    expect([total, states]).toEqual([3, { stalled: 1, waiting: 1, ready: 1 }]);
    expect(agents[0]).toMatchObject({
      agent_id: broken.issuer,
      problem: { type: 'Stalled', reason: 'quarantined', message: 'expected 9f86, found 5feb', since: AT },
      desired_revision: rev('acme', 'b'),
      applied_revision: rev('acme', 'a'),
      commit: { subject: 'Mend the invoices' },
      flows: 1,
      runs: { running: 0, queued: 0 },
      tunnel: { connected: false, since: null },
      identity_conflict: false,
    });
  });

  it.each([
    ['q=INVOICES quarantined', () => [broken]],
    ['q=zürich', () => [well]],
    ['q=mend invoice-bot', () => [broken, well]],
    ['q=nothing-like-it', () => []],
    ['state=ready,waiting', () => [silent, well]],
    ['label=ring:canary', () => [well]],
    ['label=ring:canary&label=site:nowhere', () => []],
    ['flow=invoice-bot&version=v1', () => [broken]],
    ['version=v2', () => [well]],
    ['revision=bbbbbbb', () => [well]],
    [
      `revision=${encodeURIComponent('tenant/acme@sha1:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa')}`,
      () => [broken],
    ],
    ['health=healthy', () => [broken, well]],
    ['tunnel=connected', () => []],
    ['os=windows', () => []],
    ['agent_version=9.9.9', () => []],
    ['os=linux&agent_version=0.1.0&sort=state&order=desc', () => [well, silent, broken]],
    ['sort=hostname&state=ready&limit=1', () => [well]],
  ])('finds by %s', async (query, expected) => {
    const ids = await found(`tenant=acme&${query}`);
    expect(ids).toEqual(expected().map(({ issuer }) => issuer));
  });

  it('counts what is on all pages, and the states of those that match but for theirs', async () => {
    const { agents, total, states } = await list('tenant=acme&state=stalled,ready&limit=1&offset=1');
    expect([agents.map(({ state }) => state), total]).toEqual([['ready'], 2]);
    expect(states).toEqual({ stalled: 1, waiting: 1, ready: 1 });
  });

  it('never shows the device key, and shows one agent in full', async () => {
    const text = JSON.stringify([await get('/api/agents'), await get(`/api/agents/${broken.issuer}`)]);
    expect(text).not.toContain('device_jwk');
    expect(text).not.toContain(broken.jwk.x);
    const detail = AgentDetail.parse(await get(`/api/agents/${broken.issuer}`));
    expect(detail).toMatchObject({
      state: 'stalled',
      can_command: false,
      identity_conflict: null,
      status: { agent_id: broken.issuer },
    });
  });
});

describe('what changed', () => {
  it('is one entry a change, newest first, from the enrolment on', async () => {
    const agent = await enrolAgent(running, 'acme');
    const history = async () =>
      HistoryAnswer.parse(await get(`/api/agents/${agent.issuer}/history`)).changes.map(
        ({ kind, from, to, flow: of }) => [kind, from, to, of],
      );
    await report(agent, { conditions: [READY], flows: [flow('v1', 'v1')] });
    await report(agent, { conditions: [READY], flows: [flow('v1', 'v1')] });
    await report(agent, {
      conditions: [READY],
      flows: [flow('v2', 'v2')],
      suspended: { by: 'ann', why: 'stocktaking', until: null },
    });
    expect(await history()).toEqual([
      ['state', 'ready', 'suspended', null],
      ['version', 'v1', 'v2', 'invoice-bot'],
      ['suspended', null, null, null],
      ['state', 'waiting', 'ready', null],
      ['version', null, 'v1', 'invoice-bot'],
      ['enrolled', null, null, null],
    ]);
    await running.console.admin.revokeAgent(agent.issuer, { by: 'ann', why: 'sold' });
    await expect.poll(history, { timeout: 10_000 }).toContainEqual(['revoked', 'suspended', 'revoked', null]);
    const page = HistoryAnswer.parse(await get(`/api/agents/${agent.issuer}/history?limit=2`));
    expect(page.next_before).toBe(page.changes[1]?.id);
  });
});

describe('GET /api/overview', () => {
  it('says in one sentence how all stand, and shows what is worst', async () => {
    const overview = Overview.parse(await get('/api/overview?tenant=acme'));
    expect(overview.verdict).toMatchObject({
      level: 'bad',
      code: 'some_stalled',
      count: 1,
      total: 3,
      main: { reason: 'quarantined', count: 1 },
    });
    expect(overview.verdict.text).toMatch(
      /^1 of 3 agents is stalled, for quarantined \(“expected 9f86, found 5feb”\)/,
    );
    expect(overview.worst.map(({ agent_id }) => agent_id)).toEqual([broken.issuer, silent.issuer]);
    expect(overview.states).toMatchObject({ stalled: 1, waiting: 1, ready: 1, unreachable: 0 });
    expect(overview.tenants).toEqual(['acme']);
    const changed = overview.changes.find(({ kind, to }) => kind === 'state' && to === 'stalled');
    expect(changed).toMatchObject({ count: 1, agents: [{ agent_id: broken.issuer }] });
    expect(overview.changes.find(({ kind }) => kind === 'enrolled')?.count).toBeGreaterThanOrEqual(3);
  });

  it('has an agent that has gone silent for as long as two of its reports take', async () => {
    let now = new Date();
    const clock = { now: () => now, monotonicMs: () => performance.now() };
    await using own = await startConsole({ clock });
    await addTenant(own, 'acme');
    const agent = await enrolAgent(own, 'acme');
    const sent = statusOf(agent, { conditions: [READY] });
    expect((await call(agent, 'POST', `${own.url}/edge/status`, sent)).status).toBe(200);
    const states = async () => {
      const answer = await fetch(`${own.url}/api/overview`, { headers: { 'x-api-key': own.apiKey } });
      return Overview.parse(await answer.json()).states;
    };
    expect(await states()).toMatchObject({ ready: 1, unreachable: 0 });
    now = new Date(now.getTime() + 12 * 60_000);
    expect(await states()).toMatchObject({ ready: 0, unreachable: 1 });
  });
});

describe('releases and flows', () => {
  it('count who has them, who wants them and who cannot', async () => {
    const { releases } = ReleasesAnswer.parse(await get('/api/releases?tenant=acme&q=mend'));
    const one = releases.find(({ revision }) => revision === rev('acme', 'b'));
    expect(one).toMatchObject({
      commit: { subject: 'Mend the invoices', author: 'Ann' },
      seq: 7,
      agents: { applied: 1, failing: 1, reconciling: 0 },
    });
    const detail = ReleaseDetail.parse(await get('/api/releases/acme/bbbbbbbb'));
    expect(detail.progress.at(-1)?.applied).toBe(1);
    expect(detail.problems).toEqual([
      { reason: 'quarantined', message: 'expected 9f86, found 5feb', count: 1 },
    ]);
    await get('/api/releases/acme/0000000', 404);
    await get('/api/releases/nobody/bbbbbbbb', 404);
  });

  it('are known as soon as they are pushed, with what the manifest holds', async () => {
    const entry = {
      id: 'invoice-bot',
      version: 'v3',
      edge_url: 'https://bundles.example/v3.tar.gz',
      sha256: 'c'.repeat(64),
      runtime: 'python',
      schedule: '0 7 * * *',
    };
    const manifest = JSON.stringify({ manifest_version: 2, flows: [entry] });
    const { commit } = await publish(running, tenant, { 'manifest.json': manifest });
    const newest = async () =>
      ReleasesAnswer.parse(await get('/api/releases?tenant=acme')).releases.find((release) => release.newest);
    await expect.poll(async () => (await newest())?.revision, { timeout: 15_000 }).toContain(commit);
    expect(await newest()).toMatchObject({ commit: { subject: 'Release', author: 'Publisher' } });
    const detail = ReleaseDetail.parse(
      await get(`/api/releases/acme/${encodeURIComponent(`tenant/acme@sha1:${commit}`)}`),
    );
    expect(detail.flows).toEqual([
      { id: 'invoice-bot', version: 'v3', sha256: 'c'.repeat(64), runtime: 'python', schedule: '0 7 * * *' },
    ]);
    expect(detail.agents).toMatchObject({
      applied: 0,
      failing: 0,
      reconciling: 0,
      pending: detail.agents.total,
    });
  });

  it('show a flow of each tenant with its versions and its last day', async () => {
    const ran = runReport({ flow: 'invoice-bot', status: 'failed', exit_code: 1 });
    const sent = await call(well, 'POST', `${running.url}/edge/notify`, ran, {
      'idempotency-key': `${ran.run_id}.1`,
    });
    expect(sent.status).toBe(201);
    const { flows } = FlowsAnswer.parse(await get('/api/flows'));
    expect(flows.map(({ tenant: of, flow: id }) => `${of}/${id}`)).toEqual([
      'acme/invoice-bot',
      'globex/invoice-bot',
    ]);
    expect(flows[0]).toMatchObject({
      agents: 2,
      healthy: 2,
      unhealthy: 0,
      runs: { succeeded: 0, failed: 1 },
      last_run: { run_id: ran.run_id, agent_id: well.issuer, state: 'failed' },
    });
    expect(flows[0]?.versions).toContainEqual({ version: 'v2', active: 1, desired: 2, held: 0 });
    expect(FlowRow.parse(await get('/api/flows/acme/invoice-bot'))).toEqual(flows[0]);
    await get('/api/flows/acme/no-such-flow', 404);
  });
});

describe('a flow that somebody rolled back by hand', () => {
  it('is said wherever its agent is counted: the agent is ready, and off its branch', async () => {
    const revision = rev('globex', 'c');
    const held = { by: 'person:ann', why: 'trying it' };
    await report(stranger, {
      conditions: [READY],
      source: source(revision, revision),
      flows: [flow('v8', 'v9', { held, previous_version: 'v9' })],
    });
    const { agents } = await list('tenant=globex&held=yes');
    expect(agents).toMatchObject([
      { agent_id: stranger.issuer, state: 'ready', held: [{ flow: 'invoice-bot', ...held, since: AT }] },
    ]);
    expect(await found('tenant=globex&held=no')).toEqual([]);
    expect(await found('tenant=globex&held=yes&flow=other')).toEqual([]);
    await get('/api/agents?held=perhaps', 400);
    const overview = Overview.parse(await get('/api/overview?tenant=globex'));
    expect(overview.held).toEqual({ agents: 1, flows: 1, names: ['invoice-bot'] });
    expect(overview.verdict).toMatchObject({ level: 'calm', code: 'some_held', count: 1, total: 1 });
    expect(overview.verdict.text).toMatch(/^1 of 1 agent holds back invoice-bot/);
    expect(overview.rollouts).toEqual([]);
    const { releases } = ReleasesAnswer.parse(await get('/api/releases?tenant=globex'));
    expect(releases.find((each) => each.revision === revision)?.agents).toMatchObject({
      applied: 0,
      held: 1,
      pending: 0,
      total: 1,
    });
    const row = FlowRow.parse(await get('/api/flows/globex/invoice-bot'));
    expect(row.versions).toContainEqual({ version: 'v8', active: 1, desired: 0, held: 1 });
    const { changes } = HistoryAnswer.parse(await get(`/api/agents/${stranger.issuer}/history?limit=5`));
    expect(changes.find(({ kind }) => kind === 'held')).toMatchObject({
      flow: 'invoice-bot',
      from: 'v9',
      to: 'v8',
      reason: 'person:ann',
      message: 'trying it',
    });
  });
});

describe('GET /api/events', () => {
  it('finds by what events say, in pages that go on', async () => {
    const log_id = randomUUID();
    const events = chain(well, log_id, [
      {
        reason: 'RunStarted',
        severity: 'info',
        flow: 'invoice-bot',
        run_id: 'run-1',
        time: '2026-11-01T10:00:00Z',
      },
      {
        reason: 'RunFailed',
        severity: 'error',
        flow: 'invoice-bot',
        run_id: 'run-1',
        time: '2026-11-01T12:00:00+01:00',
      },
      {
        reason: 'DriftDetected',
        severity: 'warning',
        time: '2026-11-02T10:00:00Z',
        message: 'a Byte differs',
      },
      {
        reason: 'RunStarted',
        severity: 'info',
        flow: 'other',
        run_id: 'run-2',
        time: '2026-11-03T10:00:00Z',
      },
    ]);
    const sent = await call(well, 'POST', `${running.url}/edge/events`, { log_id, events });
    expect(sent.status).toBe(200);
    const ask = async (query: string) => EventsAnswer.parse(await get(`/api/events?${query}`));
    const seqs = async (query: string) => (await ask(query)).events.map(({ event }) => event.seq);
    expect(await seqs('severity=warning,error')).toEqual([2, 3]);
    expect(await seqs('reason=RunStarted')).toEqual([1, 4]);
    expect(await seqs('reason=RunStarted,DriftDetected&severity=info')).toEqual([1, 4]);
    expect(await seqs('flow=invoice-bot&tenant=acme')).toEqual([1, 2]);
    expect(await seqs('run_id=run-1&severity=error')).toEqual([2]);
    expect(await seqs('since=2026-11-01T10:30:00Z&until=2026-11-02T10:00:00Z')).toEqual([2]);
    expect(await seqs('q=BYTE drift')).toEqual([3]);
    expect(await seqs(`agent=${well.issuer}&q=no-such-word`)).toEqual([]);
    expect(await seqs('tenant=globex')).toEqual([]);
    const last = await ask('limit=3');
    expect(last.events.map(({ event }) => event.seq)).toEqual([2, 3, 4]);
    expect(await seqs(`limit=3&before=${last.next_before}`)).toEqual([1]);
    const after = await ask(`after=${last.events[0]?.id}&severity=warning`);
    expect(after.events.map(({ event }) => event.seq)).toEqual([3]);
    expect(after.next_after).toBe(last.events[2]?.id);
  });
});

function chain(agent: EnrolledAgent, log_id: string, drafts: readonly Partial<Event>[]): Event[] {
  let prev = '0'.repeat(64);
  return drafts.map((draft, at) => {
    const event: Event = {
      log_id,
      seq: at + 1,
      time: AT,
      tenant: agent.answer.tenant,
      agent_id: agent.issuer,
      severity: 'info',
      reason: 'AgentStarted',
      message: 'something',
      ...draft,
      prev,
    };
    prev = createHash('sha256').update(JSON.stringify(event)).digest('hex');
    return event;
  });
}
