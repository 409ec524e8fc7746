import { createHash, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Event } from '../../schemas/event.ts';
import {
  addTenant,
  call,
  type EnrolledAgent,
  enrolAgent,
  eventChain,
  type RunningConsole,
  startConsole,
} from './running-console.ts';

let running: RunningConsole;
let agent: EnrolledAgent;

beforeAll(async () => {
  running = await startConsole();
  await addTenant(running, 'acme');
  agent = await enrolAgent(running, 'acme');
});
afterAll(async () => running[Symbol.asyncDispose]());

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
const chain = (count: number, logId: string = randomUUID()) => eventChain(agent, logId, count, sha256);
const send = async (body: unknown) => call(agent, 'POST', `${running.url}/edge/events`, body);
const sendEvents = async (events: readonly Event[]) => {
  const response = await send({ log_id: events[0]?.log_id, events });
  const body = (await response.json()) as { next_seq?: number; error?: { code: string } };
  return { status: response.status, body };
};

describe('POST /edge/events', () => {
  it('takes a log in order and says what comes next', async () => {
    const events = chain(700);
    expect(await sendEvents(events.slice(0, 500))).toEqual({ status: 200, body: { next_seq: 501 } });
    expect(await sendEvents(events.slice(500))).toEqual({ status: 200, body: { next_seq: 701 } });
  });

  it('takes what it has again without keeping it twice', async () => {
    const events = chain(5);
    await sendEvents(events.slice(0, 3));
    expect((await sendEvents(events)).body.next_seq).toBe(6);
    expect((await sendEvents(events)).body.next_seq).toBe(6);
    const log = events[0]?.log_id;
    const kept = (await running.console.admin.events({ limit: 500 })).filter(
      ({ event }) => event.log_id === log,
    );
    expect(kept.map(({ event }) => event)).toEqual(events);
  });

  it('asks for what is missing, takes it, and goes on', async () => {
    const events = chain(9);
    await sendEvents(events.slice(0, 3));
    expect(await sendEvents(events.slice(6))).toEqual({ status: 200, body: { next_seq: 4 } });
    expect((await sendEvents(events.slice(3))).body.next_seq).toBe(10);
  });

  it('believes the third time that the agent no longer has the older ones, and says how many are missing', async () => {
    const events = chain(9);
    await sendEvents(events.slice(0, 2));
    expect((await sendEvents(events.slice(5))).body.next_seq).toBe(3);
    expect((await sendEvents(events.slice(5))).body.next_seq).toBe(3);
    expect((await sendEvents(events.slice(5))).body.next_seq).toBe(10);
    const response = await fetch(`${running.url}/api/agents/${agent.issuer}`, {
      headers: { 'x-api-key': running.apiKey },
    });
    const { event_logs } = (await response.json()) as { event_logs: { log_id: string; missing: number }[] };
    expect(event_logs).toContainEqual({
      log_id: events[0]?.log_id,
      next_seq: 10,
      missing: 3,
      forked_at: null,
    });
  });

  it('refuses a history that was changed, and keeps none of the batch', async () => {
    const events = chain(6);
    await sendEvents(events.slice(0, 3));
    const forged = events.map((event) => (event.seq === 2 ? { ...event, message: 'never happened' } : event));
    expect(await sendEvents(forged)).toMatchObject({
      status: 409,
      body: { error: { code: 'event_changed' } },
    });
    const cut = [events[3], { ...events[4], message: 'altered' }, events[5]] as Event[];
    expect(await sendEvents(cut)).toMatchObject({ status: 409, body: { error: { code: 'chain_broken' } } });
    const mixed = [events[3], events[5]] as Event[];
    expect(await sendEvents(mixed)).toMatchObject({
      status: 409,
      body: { error: { code: 'events_out_of_order' } },
    });
    expect((await sendEvents(events.slice(3))).body.next_seq).toBe(7);
  });

  it('begins a log only with the first event of a chain', async () => {
    const [first] = chain(1);
    expect(await sendEvents([{ ...first, prev: 'f'.repeat(64) } as Event])).toMatchObject({ status: 409 });
  });

  it('takes reasons and fields of newer agents, and chains over them as they came', async () => {
    const logId = randomUUID();
    const [first] = chain(1, logId);
    const odd = { novel: [1, { b: 2, a: 1 }], ...first, reason: 'InventedLater' };
    const next = { ...first, seq: 2, prev: sha256(JSON.stringify(odd)) };
    expect((await sendEvents([odd, next] as Event[])).body.next_seq).toBe(3);
  });

  it('does not take events of other agents or logs, nor more than 500', async () => {
    const events = chain(501);
    expect((await sendEvents(events)).status).toBe(422);
    expect((await sendEvents([{ ...events[0], agent_id: 'other' } as Event])).status).toBe(422);
    expect((await sendEvents([{ ...events[0], tenant: 'globex' } as Event])).status).toBe(422);
    expect((await send({ log_id: 'another', events: events.slice(0, 1) })).status).toBe(422);
  });

  it('takes no event that is longer than a line of an agent, whoever would read a page of them', async () => {
    const [event] = chain(1) as [Event];
    const bytes = (message: string) => Buffer.byteLength(JSON.stringify({ ...event, message }));
    // Two bytes a letter.
    const most = 'é'.repeat(30_000).padEnd(65_536 - bytes('') - 30_000, 'x');
    expect(bytes(most)).toBe(65_536);
    const long = await sendEvents([{ ...event, message: `${most}x` }]);
    expect([long.status, long.body.error?.code]).toEqual([413, 'too_large']);
    expect(await sendEvents([{ ...event, message: most }])).toEqual({ status: 200, body: { next_seq: 2 } });
  });
});
