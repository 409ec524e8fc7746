import { createHash, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type CommandRow, CommandsAnswer } from '../../schemas/console/command.ts';
import type { Event } from '../../schemas/event.ts';
import {
  addTenant,
  call,
  type EnrolledAgent,
  enrolAgent,
  type RunningConsole,
  startConsole,
} from './running-console.ts';
import { command, connect, type TunnelClient } from './tunnel-client.ts';

let running: RunningConsole;
let agent: EnrolledAgent;
let client: TunnelClient;

beforeAll(async () => {
  running = await startConsole({ limits: { agentBurst: 10_000, strangerBurst: 10_000 } });
  await addTenant(running, 'acme');
  agent = await enrolAgent(running, 'acme');
  client = await connect(agent, running.url);
});
afterAll(async () => {
  await client.end();
  await running[Symbol.asyncDispose]();
});

const headers = () => ({ 'x-api-key': running.apiKey });
const rowOf = async (id: string, of = agent): Promise<CommandRow> => {
  const answer = await fetch(`${running.url}/api/agents/${of.issuer}/commands`, { headers: headers() });
  const { commands } = CommandsAnswer.parse(await answer.json());
  const found = commands.find(({ command_id }) => command_id === id);
  if (found === undefined) throw new Error(`expected the command ${id}, found none`);
  return found;
};
/** Handed in, and on the agent's disk. */
const taken = async (change: Parameters<typeof command>[1]): Promise<string> => {
  const { id, jws } = await command(agent, change);
  const path = `${running.url}/api/agents/${agent.issuer}/commands`;
  const type = { 'content-type': 'text/plain' };
  expect((await fetch(path, { method: 'POST', headers: { ...headers(), ...type }, body: jws })).status).toBe(
    202,
  );
  await client.next('edgeflows.command', (frame) => frame.id === id);
  client.send('edgeflows.ack', { ids: [id] });
  await expect.poll(async () => (await rowOf(id)).state, { timeout: 10_000 }).toBe('acknowledged');
  return id;
};
/** As lines of a new log of the agent's own. */
const tell = async (of: EnrolledAgent, said: readonly Partial<Event>[]) => {
  const log_id = randomUUID();
  const events: Event[] = [];
  let prev = '0'.repeat(64);
  for (const [index, change] of said.entries()) {
    const own = { tenant: of.answer.tenant, agent_id: of.issuer, time: '2026-11-20T15:00:00Z' };
    const about = { severity: 'info', reason: 'CommandDone', message: '' } as const;
    const event: Event = { log_id, seq: index + 1, ...own, ...about, ...change, prev };
    events.push(event);
    prev = createHash('sha256').update(JSON.stringify(event)).digest('hex');
  }
  expect((await call(of, 'POST', `${running.url}/edge/events`, { log_id, events })).status).toBe(200);
};

it('a command shows what the agent says came of it, and which flow and version it meant', async () => {
  const rollback = await taken({ action: 'rollback', flow: 'invoice-bot', by: 'ann', why: 'totals' });
  const suspend = await taken({ action: 'suspend', by: 'ann', why: 'audit' });
  expect(await rowOf(rollback)).toMatchObject({
    state: 'acknowledged',
    flow: 'invoice-bot',
    version: null,
    outcome: null,
    outcome_at: null,
    outcome_message: null,
    run_state: null,
  });
  await tell(agent, [
    { reason: 'CommandAccepted', command_id: rollback, message: `command ${rollback} is accepted` },
    {
      command_id: rollback,
      flow: 'invoice-bot',
      version: 'v1',
      message: `command ${rollback}: flow invoice-bot is rolled back by ann to v1`,
    },
    { severity: 'warning', command_id: suspend, message: `command ${suspend}: expected room on the disk` },
  ]);
  expect(await rowOf(rollback)).toMatchObject({
    state: 'acknowledged',
    flow: 'invoice-bot',
    version: 'v1',
    outcome: 'done',
    outcome_at: '2026-11-20T15:00:00Z',
    outcome_message: 'flow invoice-bot is rolled back by ann to v1',
  });
  expect(await rowOf(suspend)).toMatchObject({
    flow: null,
    outcome: 'failed',
    outcome_message: 'expected room on the disk',
  });
});

it('no more is kept of what an agent says than a list of hundreds can show', async () => {
  const id = await taken({ action: 'resume', by: 'ann' });
  await tell(agent, [
    { command_id: id, version: 'v'.repeat(30_000), message: `${'a'.repeat(998)}😀${'b'.repeat(20_000)}` },
  ]);
  const { outcome_message, version } = await rowOf(id);
  expect(outcome_message).toBe(`${'a'.repeat(998)}\ufffd…`);
  expect(version).toBe(`${'v'.repeat(254)}…`);
});

it('the first word of the agent counts, and none of another agent', async () => {
  const id = await taken({ action: 'resume', by: 'ann' });
  const other = await enrolAgent(running, 'acme');
  await tell(other, [{ command_id: id, message: 'of another agent' }]);
  expect(await rowOf(id)).toMatchObject({ outcome: null });
  await tell(agent, [
    { command_id: id, message: 'first' },
    { severity: 'warning', command_id: id, message: 'second' },
  ]);
  expect(await rowOf(id)).toMatchObject({ outcome: 'done', outcome_message: 'first' });
});

it('a command about a run says how that stands, and of which version it is', async () => {
  const run_id = randomUUID();
  const run = await taken({ action: 'run', run_id, flow: 'invoice-bot' });
  expect(await rowOf(run)).toMatchObject({ flow: 'invoice-bot', version: null, run_state: 'queued' });
  const at = new Date().toISOString();
  client.send('edgeflows.run.started', { run_id, attempt: 1, flow: 'invoice-bot', version: 'v7', at });
  const running = { version: 'v7', run_state: 'running' };
  await expect.poll(async () => rowOf(run), { timeout: 10_000 }).toMatchObject(running);
  const cancel = await taken({ action: 'cancel', run_id });
  expect(await rowOf(cancel)).toMatchObject({ flow: 'invoice-bot', version: 'v7', run_state: 'running' });
});

it('pages are told as soon as the agent says what came of a command', async () => {
  const id = await taken({ action: 'resume', by: 'ann' });
  const ended = new AbortController();
  const live = await fetch(`${running.url}/api/live`, { headers: headers(), signal: ended.signal });
  const told = Promise.withResolvers<void>();
  const follow = async () => {
    let text = '';
    const body = live.body ?? new ReadableStream<Uint8Array<ArrayBuffer>>();
    for await (const part of body.pipeThrough(new TextDecoderStream())) {
      text += part;
      if (/"commands":true/.test(text)) told.resolve();
    }
  };
  const following = follow().catch(() => {});
  await tell(agent, [{ command_id: id, message: 'done' }]);
  await told.promise;
  expect(await rowOf(id)).toMatchObject({ outcome: 'done' });
  ended.abort();
  await following;
});
