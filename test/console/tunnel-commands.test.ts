import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createAdmin } from '../../console/admin.ts';
import { openState } from '../../console/state.ts';
import { createSystemClock } from '../../system/clock.ts';
import {
  addTenant,
  type EnrolledAgent,
  enrolAgent,
  type RunningConsole,
  startConsole,
} from './running-console.ts';
import { command, connect, type TunnelClient } from './tunnel-client.ts';

let running: RunningConsole;
let agent: EnrolledAgent;
let stranger: EnrolledAgent;

beforeAll(async () => {
  running = await startConsole({ limits: { agentBurst: 1_000, commandResendMs: 300, commandsWaiting: 300 } });
  await addTenant(running, 'acme');
  await addTenant(running, 'globex');
  agent = await enrolAgent(running, 'acme');
  stranger = await enrolAgent(running, 'globex');
});
afterAll(async () => running[Symbol.asyncDispose]());

interface Row {
  command_id: string;
  state: string;
  code: string | null;
  message: string | null;
  action: string;
}

const post = async (
  to: EnrolledAgent,
  body: string,
  headers: Record<string, string> = { 'content-type': 'text/plain' },
) =>
  fetch(`${running.url}/api/agents/${to.issuer}/commands`, {
    method: 'POST',
    headers: { 'x-api-key': running.apiKey, ...headers },
    body,
  });
const list = async (of: EnrolledAgent): Promise<Row[]> => {
  const response = await fetch(`${running.url}/api/agents/${of.issuer}/commands?limit=500`, {
    headers: { 'x-api-key': running.apiKey },
  });
  return ((await response.json()) as { commands: Row[] }).commands;
};
const stateOf = async (of: EnrolledAgent, id: string) => {
  const row = (await list(of)).find(({ command_id }) => command_id === id);
  return row === undefined ? undefined : [row.state, row.code];
};
const withId = (id: string) => (frame: { id: string }) => frame.id === id;
const acknowledge = (client: TunnelClient, id: string) => client.send('edgeflows.ack', { ids: [id] });

describe('POST /api/agents/<id>/commands', () => {
  it('takes a signed command, as text or as JSON, and shows it', async () => {
    const first = await command(agent);
    const response = await post(agent, `${first.jws}\n`);
    expect([response.status, await response.json()]).toEqual([
      202,
      { command_id: first.id, state: 'queued', connected: false },
    ]);
    const second = await command(agent, { action: 'resume', by: 'ada' });
    const asJson = await post(agent, JSON.stringify({ jws: second.jws }), {
      'content-type': 'application/json',
    });
    expect(asJson.status).toBe(202);
    expect((await list(agent)).slice(0, 2)).toEqual([
      expect.objectContaining({ command_id: second.id, action: 'resume', state: 'queued' }),
      expect.objectContaining({ command_id: first.id, action: 'run', state: 'queued' }),
    ]);
    expect(JSON.stringify(await list(agent))).not.toContain(first.jws);
  });

  it('answers the same command as it stands, and refuses another under its id', async () => {
    const { id, jws } = await command(agent);
    expect((await post(agent, jws)).status).toBe(202);
    const again = await post(agent, jws);
    expect([again.status, await again.json()]).toMatchObject([202, { command_id: id }]);
    expect((await list(agent)).filter((row) => row.command_id === id)).toHaveLength(1);
    const other = await command(agent, { command_id: id });
    const conflict = await post(agent, other.jws);
    expect([conflict.status, await conflict.text()]).toEqual([
      409,
      expect.stringContaining('command_id_used'),
    ]);
  });

  it('refuses what no agent would take', async () => {
    const past = new Date(Date.now() - 1_000).toISOString();
    const hourAgo = new Date(Date.now() - 3_600_000).toISOString();
    const cases: [string, string][] = [
      ['nonsense', 'command_malformed'],
      [(await command(agent, { agent_id: 'other' })).jws, 'agent_mismatch'],
      [(await command(stranger)).jws, 'tenant_mismatch'],
      [(await command(agent, { tenant: 'globex' })).jws, 'tenant_mismatch'],
      [(await command(agent, { issued: hourAgo, expires: past })).jws, 'command_expired'],
      [
        (await command(agent)).jws.replace(/^[^.]+/, btoa('{"alg":"none"}').replaceAll('=', '')),
        'alg_not_allowed',
      ],
    ];
    for (const [jws, code] of cases) {
      const response = await post(agent, jws);
      expect([response.status, await response.text()]).toEqual([422, expect.stringContaining(code)]);
    }
    expect((await post(agent, 'x'.repeat(200 * 1024))).status).toBe(413);
  });

  it('is for operators, and an agent of another tenant is not there', async () => {
    const { jws } = await command(agent);
    const path = `${running.url}/api/agents/${agent.issuer}/commands`;
    for (const headers of [{}, { 'x-api-key': 'wrong' }]) {
      expect((await fetch(path, { method: 'POST', headers, body: jws })).status).toBe(401);
      expect((await fetch(path, { headers })).status).toBe(401);
    }
    const key = { 'x-api-key': running.apiKey };
    expect((await fetch(`${path}?tenant=globex`, { headers: key })).status).toBe(404);
    expect((await fetch(`${path}?tenant=acme`, { headers: key })).status).toBe(200);
    expect((await post({ ...agent, issuer: randomUUID() }, jws)).status).toBe(404);
  });

  it('lets so many wait for one agent, and no more', async () => {
    const crowded = await enrolAgent(running, 'acme');
    const { jws } = await command(crowded);
    const state = await openState(join(running.directory, 'data'), createSystemClock());
    const row = await state.agents.get(crowded.issuer);
    if (row === null) throw new Error('expected the agent');
    for (let index = 0; index < 300; index += 1) {
      await state.commands.add(row, (await command(crowded)).jws, new Date(), 1_000);
    }
    await state.close();
    const response = await post(crowded, jws);
    expect([response.status, response.headers.get('retry-after')]).toEqual([429, '60']);
    // All of them arrive, in order, although few are on their way at one time.
    const client = await connect(crowded, running.url);
    const got = new Set<string>();
    while (got.size < 300) {
      const { id } = await client.next('edgeflows.command');
      got.add(id);
      acknowledge(client, id);
    }
    await expect
      .poll(async () => (await list(crowded)).every(({ state: is }) => is === 'acknowledged'))
      .toBe(true);
    await client.end();
  });
});

describe('a command', () => {
  it('is sent at once, as it was signed, until it is acknowledged', async () => {
    const client = await connect(agent, running.url);
    const { id, jws } = await command(agent);
    const told: string[] = [];
    const stop = running.console.notices.command.subscribe(({ command_id, state }) => {
      if (command_id === id) told.push(state);
    });
    await post(agent, jws);
    const sent = await client.next('edgeflows.command', withId(id));
    expect(sent).toMatchObject({ datacontenttype: 'application/jose', data: jws });
    await expect.poll(async () => stateOf(agent, id)).toEqual(['sent', null]);
    // No answer: it comes again, on this connection and on the next, under the same id.
    await client.next('edgeflows.command', withId(id));
    const next = await connect(agent, running.url);
    await next.next('edgeflows.command', withId(id));
    acknowledge(next, id);
    await expect.poll(async () => stateOf(agent, id)).toEqual(['acknowledged', null]);
    acknowledge(next, id);
    next.send('edgeflows.ack', { ids: [], refused: [{ id, code: 'expired', message: 'too late' }] });
    next.send('edgeflows.echo.request', 1);
    await next.next('edgeflows.echo.reply');
    expect(await stateOf(agent, id)).toEqual(['acknowledged', null]);
    expect([...new Set(told)]).toEqual(['queued', 'sent', 'acknowledged']);
    stop();
    await next.end();
    const last = await connect(agent, running.url);
    last.send('edgeflows.echo.request', 1);
    await last.next('edgeflows.echo.reply');
    expect(last.received.filter((frame) => frame.id === id)).toEqual([]);
    await last.end();
  });

  it('that was refused shows why', async () => {
    const client = await connect(agent, running.url);
    const { id, jws } = await command(agent);
    await post(agent, jws);
    await client.next('edgeflows.command', withId(id));
    client.send('edgeflows.ack', {
      ids: [],
      refused: [{ id, code: 'key_unknown', message: 'expected a key of the trigger role' }],
    });
    await expect
      .poll(async () => (await list(agent)).find(({ command_id }) => command_id === id))
      .toMatchObject({
        state: 'refused',
        code: 'key_unknown',
        message: 'expected a key of the trigger role',
      });
    await client.end();
  });

  it('that nobody took in time has expired', async () => {
    const lonely = await enrolAgent(running, 'acme');
    const { id, jws } = await command(lonely, { expires: new Date(Date.now() + 700).toISOString() });
    await post(lonely, jws);
    const expired = running.console.notices.command.waitFor(
      ({ command_id, state }) => command_id === id && state === 'expired',
      AbortSignal.timeout(15_000),
    );
    expect(await expired).toMatchObject({ tenant: 'acme', agent_id: lonely.issuer });
    const client = await connect(lonely, running.url);
    client.send('edgeflows.echo.request', 1);
    await client.next('edgeflows.echo.reply');
    expect(client.received.map(({ type }) => type)).not.toContain('edgeflows.command');
    expect(await stateOf(lonely, id)).toEqual(['expired', null]);
    await client.end();
  });

  it('cannot be acknowledged by another agent', async () => {
    const client = await connect(stranger, running.url);
    const { id, jws } = await command(agent);
    await post(agent, jws);
    acknowledge(client, id);
    client.send('edgeflows.echo.request', 1);
    await client.next('edgeflows.echo.reply');
    expect(await stateOf(agent, id)).toEqual(['queued', null]);
    await client.end();
  });

  it('put into the database by another process is sent, and a revocation there ends the session', async () => {
    const other = await enrolAgent(running, 'acme');
    const client = await connect(other, running.url);
    const { id, jws } = await command(other);
    const state = await openState(join(running.directory, 'data'), createSystemClock());
    const row = await state.agents.get(other.issuer);
    if (row === null) throw new Error('expected the agent');
    await state.commands.add(row, jws, new Date(), 10);
    await client.next('edgeflows.command', withId(id));
    await createAdmin(state).revokeAgent(other.issuer);
    expect((await client.closed).code).toBe(4003);
    await state.close();
  });
});
