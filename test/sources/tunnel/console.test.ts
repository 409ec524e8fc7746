import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import type { Clock } from '../../../reconciler/ports.ts';
import { createSystemClock } from '../../../system/clock.ts';
import { signRequestToken } from '../../../trust/request-token.ts';
import {
  addTenant,
  type EnrolledAgent,
  enrolAgent,
  publish,
  type RunningConsole,
  startConsole,
} from '../../console/running-console.ts';
import { command } from '../../console/tunnel-client.ts';
import { type AgentSide, type AgentSideOptions, startAgentSide } from '../../support/tunnel-agent.ts';

const until = (condition: () => boolean | Promise<boolean>) =>
  vi.waitUntil(condition, { timeout: 60_000, interval: 5 });

let running: RunningConsole;
let tenant: Awaited<ReturnType<typeof addTenant>>;
let enrolled: EnrolledAgent;
const agents: AgentSide[] = [];

beforeAll(async () => {
  running = await startConsole();
  tenant = await addTenant(running, 'acme');
  enrolled = await enrolAgent(running, 'acme');
});
afterEach(async () => {
  await Promise.all(agents.map((agent) => agent.stop()));
  agents.length = 0;
});
afterAll(() => running[Symbol.asyncDispose]());

/** The agent's side with its real key; its clock may be wrong. */
function start(
  as: EnrolledAgent = enrolled,
  options: Partial<AgentSideOptions> = {},
  url = running.url,
): AgentSide {
  const clock = options.clock ?? createSystemClock();
  const agent = startAgentSide({
    url: new URL(`${url}/edge/tunnel`),
    agentId: as.issuer,
    clock,
    uniform: () => 0.01,
    authorize: async (method, to, offsetMs) => {
      const now = new Date(clock.now().getTime() + offsetMs);
      return `Bearer ${await signRequestToken({ ...as, method, url: to.href, now })}`;
    },
    ...options,
  });
  agents.push(agent);
  return agent;
}
const state = (agent: AgentSide) => agent.tunnel.state().state;
const connected = (agent: AgentSide) => until(() => state(agent) === 'connected');

async function asked<T>(path: string, init: RequestInit = {}): Promise<T> {
  const headers = { 'x-api-key': running.apiKey, 'content-type': 'application/jose' };
  const answer = await fetch(`${running.url}/api/agents/${path}`, { ...init, headers });
  return (await answer.json()) as T;
}
const stateOf = async (id: string) => {
  const { commands } = await asked<{
    commands: { command_id: string; state: string; code: string | null }[];
  }>(`${enrolled.issuer}/commands`);
  return commands.find(({ command_id }) => command_id === id);
};

describe('the tunnel to a real console', () => {
  test('opens with the device key, and opens again with another token', async () => {
    const agent = start();
    await connected(agent);
    await until(() => running.console.connected('acme') === 1);
    await agent.stop();
    await until(() => running.console.connected('acme') === 0);
    const again = start();
    await connected(again);
    expect(again.events.map(({ reason }) => reason)).toEqual(['TunnelConnected']);
  });

  test('brings a command, and the console learns that it was persisted', async () => {
    const agent = start();
    await connected(agent);
    const { id, jws } = await command(enrolled);
    await asked(`${enrolled.issuer}/commands`, { method: 'POST', body: jws });
    await until(async () => (await stateOf(id))?.state === 'acknowledged');
    expect(agent.commands).toEqual([jws]);
  });

  test('brings what waited for the agent, and the code of what is refused', async () => {
    const { id, jws } = await command(enrolled);
    await asked(`${enrolled.issuer}/commands`, { method: 'POST', body: jws });
    const agent = start();
    agent.receive(() =>
      Promise.resolve({
        kind: 'refused',
        code: 'key_unknown',
        message: 'expected a trigger key',
        commandId: id,
      }),
    );
    await until(async () => (await stateOf(id))?.state === 'refused');
    expect(await stateOf(id)).toMatchObject({ code: 'key_unknown' });
  });

  test('brings a nudge when the branch is pushed to', async () => {
    const agent = start();
    await connected(agent);
    const { commit } = await publish(running, tenant, { 'manifest.json': '{}' });
    await until(() => agent.nudges.length > 0);
    expect(agent.nudges).toEqual([`tenant/acme@sha1:${commit}`]);
  });

  test('opens although the clock of this machine is an hour slow', async () => {
    const system = createSystemClock();
    const slow: Clock = { ...system, now: () => new Date(Date.now() - 3_600_000) };
    const agent = start(enrolled, { clock: slow });
    await connected(agent);
    expect(agent.events.map(({ reason }) => reason)).toEqual(['TunnelFailed', 'TunnelConnected']);
  });

  test('gives way to another with the same key, without a fight', async () => {
    const first = start();
    await connected(first);
    const second = start();
    await connected(second);
    await until(() => state(first) === 'disconnected');
    expect(first.tunnel.state().message).toContain('same device key');
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(state(second)).toBe('connected');
    expect(second.told.filter((what) => what === 'closed')).toEqual([]);
  });

  test('ends when the agent is revoked, says what to do, and does not knock all the time', async () => {
    const doomed = await enrolAgent(running, 'acme');
    const agent = start(doomed);
    await connected(agent);
    await running.console.admin.revokeAgent(doomed.issuer);
    await until(() => state(agent) === 'disconnected');
    expect(agent.tunnel.state().message).toContain('edge-agent enroll');
    const refused = start(doomed);
    await until(() => refused.events.length > 0);
    expect(refused.events[0]?.because).toContain('403');
  });
});

test('heartbeats keep a tunnel open that says nothing else, and progress is acknowledged', async () => {
  await using quick = await startConsole({ limits: { tunnelHeartbeatMs: 200, tunnelSilenceMs: 1_500 } });
  await addTenant(quick, 'acme');
  const agent = start(await enrolAgent(quick, 'acme'), {}, quick.url);
  await connected(agent);
  await new Promise((resolve) => setTimeout(resolve, 3_500));
  expect(agent.told.filter((what) => what !== 'state')).toEqual(['opened']);
  const at = new Date().toISOString();
  const started = { run_id: 'r-1', attempt: 1, flow: 'echo', version: 'v1', at };
  agent.link().send('edgeflows.run.started', started, 'the-frame');
  await until(() => agent.acknowledged.includes('the-frame'));
  await agent.stop();
});

test('a console that goes away and comes back is found again', async () => {
  const first = await startConsole();
  await addTenant(first, 'acme');
  const identity = await enrolAgent(first, 'acme');
  const agent = start(identity, {}, first.url);
  await connected(agent);
  await until(() => first.console.connected('acme') === 1);
  await first.console.close();
  await until(() => agent.events.some(({ reason }) => reason === 'TunnelFailed'));
  expect(agent.events.map(({ severity, reason }) => `${severity} ${reason}`)).toEqual([
    'info TunnelConnected',
    'info TunnelDisconnected',
    'warning TunnelFailed',
  ]);
  await using second = await startConsole({
    dataDirectory: `${first.directory}/data`,
    port: Number(new URL(first.url).port),
  });
  await connected(agent);
  await until(() => second.console.connected('acme') === 1);
  await agent.stop();
  await first[Symbol.asyncDispose]();
});
