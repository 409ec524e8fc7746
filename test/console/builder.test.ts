import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { BuilderFlows, type BuilderRun, BuilderRunAnswer } from '../../schemas/console/action.ts';
import type { PrivateJwk } from '../../schemas/jws.ts';
import type { Condition, Status } from '../../schemas/status.ts';
import { serialiseDocument, signDocument } from '../../trust/ceremony/draft.ts';
import { newKey } from '../../trust/ceremony/new-key.ts';
import { newRoot } from '../../trust/ceremony/root-draft.ts';
import {
  call,
  type EnrolledAgent,
  enrolAgent,
  type RunningConsole,
  runReport,
  startConsole,
  statusOf,
} from './running-console.ts';
import { connect, type TunnelClient } from './tunnel-client.ts';

let running: RunningConsole;
let busy: EnrolledAgent;
let free: EnrolledAgent;
let sick: EnrolledAgent;
let away: EnrolledAgent;
let clients: Record<'busy' | 'free' | 'sick', TunnelClient>;
let viewer: string;

beforeAll(async () => {
  running = await startConsole({
    limits: { agentBurst: 10_000, strangerBurst: 10_000, askBurst: 10_000, commandResendMs: 60_000 },
  });
  const triggerKey = newKey();
  for (const slug of ['acme', 'globex']) await tenantWith(running, slug, triggerKey);
  await giveKey(running, triggerKey);
  busy = await agentWith({ runs: { running: 2, queued: 1, last: null } });
  free = await agentWith({});
  sick = await agentWith({ flows: [flow('invoice-bot', 'v2', 'unhealthy')] });
  away = await agentWith({
    flows: [flow('invoice-bot', 'v1', 'healthy'), flow('night-bot', 'v1', 'healthy')],
  });
  const elsewhere = await enrolAgent(running, 'globex');
  await report(elsewhere, {
    flows: [flow('foreign-bot', 'v1', 'healthy'), flow('both-bot', 'v1', 'healthy')],
  });
  await agentWith({ flows: [flow('both-bot', 'v1', 'healthy')] });
  clients = {
    busy: await connected(busy),
    free: await connected(free),
    sick: await connected(sick),
  };
  viewer = await running.console.admin.newApiKey('viewer', { grants: [{ tenant: 'acme', role: 'viewer' }] });
});
afterAll(async () => {
  for (const client of Object.values(clients)) await client.end();
  await running[Symbol.asyncDispose]();
});

async function tenantWith(console: RunningConsole, slug: string, triggerKey: PrivateJwk): Promise<void> {
  const rootKey = newKey();
  const draft = newRoot({
    expires: '2099-01-01T00:00:00Z',
    keys: { root: [rootKey], release: [newKey()], trigger: [triggerKey] },
  });
  const rootDocument = serialiseDocument(await signDocument(draft, rootKey, 'edgeflows-root+jws'));
  await console.console.admin.addTenant({ slug, rootDocument });
}

async function giveKey(console: RunningConsole, triggerKey: PrivateJwk): Promise<void> {
  const answer = await fetch(`${console.url}/api/tenants/acme/trigger-key`, {
    method: 'PUT',
    headers: { 'x-api-key': console.apiKey, 'content-type': 'application/json' },
    body: JSON.stringify({ key: triggerKey }),
  });
  if (answer.status !== 200) throw new Error(`expected 200, found ${answer.status}: ${await answer.text()}`);
}

function flow(id: string, active: string, health: 'healthy' | 'unhealthy'): Status['flows'][number] {
  return {
    id,
    runtime: 'python',
    desired_version: active,
    active_version: active,
    previous_version: null,
    health,
    phase: 'active',
    since: '2026-11-20T15:00:00Z',
    held: null,
    quarantined: null,
    service: null,
  };
}
const READY: Condition = {
  type: 'Ready',
  status: 'True',
  reason: 'RevisionApplied',
  message: 'all is applied',
  observed_revision: null,
  changed_at: '2026-11-20T15:00:00Z',
};
async function agentWith(change: Partial<Status>): Promise<EnrolledAgent> {
  const agent = await enrolAgent(running, 'acme');
  await report(agent, { flows: [flow('invoice-bot', 'v2', 'healthy')], conditions: [READY], ...change });
  return agent;
}
async function report(agent: EnrolledAgent, change: Partial<Status>): Promise<void> {
  const answer = await call(agent, 'POST', `${running.url}/edge/status`, statusOf(agent, change));
  expect(answer.status).toBe(200);
}

const post = (id: string, body: unknown = {}, headers: Record<string, string> = {}, query = '') =>
  fetch(`${running.url}/flows/${id}/run${query}`, {
    method: 'POST',
    headers: { 'x-api-key': running.apiKey, 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });
const run = async (id: string, body: Partial<BuilderRun> = {}, headers: Record<string, string> = {}) => {
  const answer = await post(id, body, headers);
  const text = await answer.text();
  if (!answer.ok) throw new Error(`expected 2xx, found ${answer.status}: ${text}`);
  return { status: answer.status, ...BuilderRunAnswer.parse(JSON.parse(text)) };
};
const refusal = async (answer: Response) => [
  answer.status,
  ((await answer.json()) as { error: { code: string } }).error.code,
];

describe('GET /flows', () => {
  it('lists the flows of the tenants one may see, with the version most agents have and how many are connected', async () => {
    const list = async () => {
      const answer = await fetch(`${running.url}/flows`, { headers: { 'x-api-key': viewer } });
      return BuilderFlows.parse(await answer.json()).flows;
    };
    await expect.poll(list, { timeout: 10_000 }).toEqual([
      { id: 'both-bot', tenant: 'acme', runtime: 'python', version: 'v1', agents: 1, connected: 0 },
      { id: 'invoice-bot', tenant: 'acme', runtime: 'python', version: 'v2', agents: 4, connected: 3 },
      { id: 'night-bot', tenant: 'acme', runtime: 'python', version: 'v1', agents: 1, connected: 0 },
    ]);
    expect((await fetch(`${running.url}/flows`)).status).toBe(401);
  });
});

describe('POST /flows/<id>/run', () => {
  it('takes the agent that is connected, ready and has least to do, and then the next one', async () => {
    const first = await run('invoice-bot', { inputs: { n: 1 } });
    expect(first).toMatchObject({
      status: 202,
      agent_id: free.issuer,
      tenant: 'acme',
      connected: true,
      result: null,
    });
    await clients.free.next('edgeflows.command', ({ id }) => id === first.command_id);
    // what was asked of it counts, before any status says so
    const places = [];
    for (let count = 0; count < 4; count += 1) places.push((await run('invoice-bot')).agent_id);
    expect(places).toContain(busy.issuer);
    expect(places).not.toContain(sick.issuer);
  });

  it('waits for the end when it is asked to, and answers with the report', async () => {
    const mark = randomUUID();
    const asked = run('invoice-bot', { agent_id: busy.issuer, wait: 30, inputs: { mark } });
    const { run_id } = await broughtTo(clients.busy, mark);
    const body = runReport({
      run_id,
      trigger: 'command',
      status: 'failed',
      exit_code: 3,
      reason: 'no invoice',
    });
    await call(busy, 'POST', `${running.url}/edge/notify`, body, { 'idempotency-key': `${run_id}.1` });
    const done = await asked;
    expect(done).toMatchObject({
      status: 200,
      run_id,
      state: 'failed',
      message: 'no invoice',
      result: { exit_code: 3, stdout: 'hello\n' },
    });
  });

  it('answers that it goes on when the wait is over', async () => {
    const began = performance.now();
    expect(await run('invoice-bot', { wait: 1 })).toMatchObject({ status: 202, result: null });
    expect(performance.now() - began).toBeGreaterThan(900);
  });

  it('says at once, in the agent’s words, that it was refused', async () => {
    const mark = randomUUID();
    const asked = run('invoice-bot', { agent_id: busy.issuer, wait: 30, inputs: { mark } });
    const { command_id: id } = await broughtTo(clients.busy, mark);
    const why = { id, code: 'key_not_allowed', message: 'not this key' };
    clients.busy.send('edgeflows.ack', { ids: [], refused: [why] });
    expect(await asked).toMatchObject({
      status: 200,
      state: 'refused',
      message: 'key_not_allowed: not this key',
    });
  });

  it('finds the agent that is named, and the version, however many others have less to do', async () => {
    await using crowded = await startConsole({ limits: { flowHosts: 1 } });
    const triggers = newKey();
    await tenantWith(crowded, 'acme', triggers);
    await giveKey(crowded, triggers);
    const agents = [await enrolAgent(crowded, 'acme'), await enrolAgent(crowded, 'acme')];
    for (const [index, each] of agents.entries()) {
      const said = statusOf(each, { flows: [flow('invoice-bot', `v${index + 1}`, 'healthy')] });
      expect((await call(each, 'POST', `${crowded.url}/edge/status`, said)).status).toBe(200);
    }
    const ask = async (body: unknown) => {
      const answer = await fetch(`${crowded.url}/flows/invoice-bot/run`, {
        method: 'POST',
        headers: { 'x-api-key': crowded.apiKey, 'content-type': 'application/json' },
        body: JSON.stringify(body),
      });
      return { status: answer.status, ...((await answer.json()) as { agent_id?: string; error?: unknown }) };
    };
    for (const { issuer } of agents) {
      expect(await ask({ agent_id: issuer })).toMatchObject({ status: 202, agent_id: issuer });
    }
    for (const version of ['v1', 'v2']) {
      expect(await ask({ version })).toMatchObject({ status: 503, error: { code: 'no_agent_connected' } });
    }
    expect(await ask({ version: 'v9' })).toMatchObject({
      status: 409,
      error: { code: 'version_not_active' },
    });
  });

  it('ends at once as lost when its agent is revoked, and says why to who waits', async () => {
    const gone = await agentWith({ flows: [flow('gone-bot', 'v1', 'healthy')] });
    const client = await connected(gone);
    const mark = randomUUID();
    const asked = run('gone-bot', { agent_id: gone.issuer, wait: 60, inputs: { mark } });
    const { command_id: id, run_id } = await broughtTo(client, mark);
    client.send('edgeflows.ack', { ids: [id], refused: [] });
    const runs = async () => {
      const answer = await fetch(`${running.url}/api/runs?agent=${gone.issuer}`, {
        headers: { 'x-api-key': running.apiKey },
      });
      return ((await answer.json()) as { runs: { state: string; reason: string | null }[] }).runs;
    };
    await expect.poll(runs, { timeout: 20_000 }).toMatchObject([{ run_id, state: 'queued' }]);
    const revoked = await fetch(`${running.url}/api/agents/${gone.issuer}/revoke`, {
      method: 'POST',
      headers: { 'x-api-key': running.apiKey, 'content-type': 'application/json' },
      body: JSON.stringify({ why: 'stolen' }),
    });
    expect(revoked.status).toBe(200);
    const why = 'agent_revoked: the agent was revoked (stolen)';
    expect(await asked).toMatchObject({ status: 200, run_id, state: 'lost', message: why, result: null });
    expect(await runs()).toMatchObject([
      { state: 'lost', reason: why, finished_at: expect.any(String) as string },
    ]);
  });

  it('is one run for one Idempotency-Key, whoever is free the second time', async () => {
    const headers = { 'idempotency-key': randomUUID() };
    const first = await run('invoice-bot', {}, headers);
    const again = await run('invoice-bot', { wait: 1 }, headers);
    expect([again.run_id, again.command_id, again.agent_id]).toEqual([
      first.run_id,
      first.command_id,
      first.agent_id,
    ]);
    const reused = [422, 'idempotency_key_reused'];
    expect(await refusal(await post('invoice-bot', { inputs: { other: true } }, headers))).toEqual(reused);
    // so is one in a tenant that is named: others run a flow of that name there
    expect(await refusal(await post('invoice-bot', {}, headers, '?tenant=acme'))).toEqual(reused);
  });

  it('writes down no request of somebody who may run nothing', async () => {
    const headers = { 'x-api-key': viewer, 'idempotency-key': randomUUID() };
    const small = [403, 'role_too_small'];
    expect(await refusal(await post('invoice-bot', {}, headers))).toEqual(small);
    // under a key that had been taken, another request would be refused for that
    expect(await refusal(await post('invoice-bot', { inputs: { other: true } }, headers))).toEqual(small);
  });

  it('queues for an agent that is named and away, and refuses when the choice is its own and nobody is there', async () => {
    expect(await run('night-bot', { agent_id: away.issuer })).toMatchObject({
      status: 202,
      connected: false,
      state: 'asked',
    });
    const nobody = await post('night-bot');
    expect(nobody.headers.get('retry-after')).toBe('30');
    expect(await refusal(nobody)).toEqual([503, 'no_agent_connected']);
  });

  it('refuses by name what cannot be run', async () => {
    expect(await refusal(await post('nothing-bot'))).toEqual([404, 'flow_unknown']);
    expect(await refusal(await post('invoice-bot', { version: 'v9' }))).toEqual([409, 'version_not_active']);
    expect(await refusal(await post('both-bot'))).toEqual([409, 'tenant_ambiguous']);
    expect(await refusal(await post('foreign-bot', { agent_id: busy.issuer }))).toEqual([
      404,
      'flow_unknown',
    ]);
    expect(await refusal(await post('foreign-bot', {}, { 'x-api-key': viewer }))).toEqual([
      404,
      'flow_unknown',
    ]);
    expect(await refusal(await post('invoice-bot', {}, { 'x-api-key': viewer }))).toEqual([
      403,
      'role_too_small',
    ]);
    expect(await refusal(await post('invoice-bot', { timeout: 'soon' }))).toEqual([422, 'action_invalid']);
    expect(await refusal(await post('invoice-bot', { wait: 301 }))).toEqual([422, 'body_invalid']);
    const foreign = await connectForeign();
    expect(await refusal(await post('foreign-bot'))).toEqual([409, 'no_trigger_key']);
    await foreign.end();
  });
});

/** Once the console knows that it is there. */
async function connected(agent: EnrolledAgent): Promise<TunnelClient> {
  const client = await connect(agent, running.url);
  const isThere = async () => {
    const address = `${running.url}/api/agents/${agent.issuer}`;
    const answer = await fetch(address, { headers: { 'x-api-key': running.apiKey } });
    return ((await answer.json()) as { tunnel: { connected: boolean } }).tunnel.connected;
  };
  await vi.waitUntil(isThere, { timeout: 10_000, interval: 20 });
  return client;
}

async function connectForeign(): Promise<TunnelClient> {
  const agent = await enrolAgent(running, 'globex');
  await report(agent, { flows: [flow('foreign-bot', 'v1', 'healthy')], conditions: [READY] });
  return connected(agent);
}

/** The command with these inputs, as the tunnel brings it. */
async function broughtTo(
  client: TunnelClient,
  mark: string,
): Promise<{ command_id: string; run_id: string }> {
  const payloadOf = ({ data }: { data?: unknown }) =>
    JSON.parse(Buffer.from(String(data).split('.')[1] ?? '', 'base64url').toString()) as {
      command_id: string;
      run_id: string;
      inputs: { mark?: string };
    };
  return payloadOf(await client.next('edgeflows.command', (frame) => payloadOf(frame).inputs.mark === mark));
}
