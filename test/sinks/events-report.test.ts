import { createHash } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { EventBatch } from '../../schemas/event.ts';
import { EVENTS_CURSOR_DOCUMENT } from '../../sinks/events-report.ts';
import { openDatabase } from '../../store/database.ts';
import { createStateDocuments } from '../../store/documents.ts';
import { createManualClock } from '../../system/clock.ts';
import { eventually, openReporting, type Reporting } from '../support/reporting.ts';
import { type SaasServer, startSaasServer } from '../support/saas-server.ts';

let directory: string;
let saas: SaasServer;
let stop: AbortController;
let open: Reporting[];
let delivering: Promise<void>[];
beforeEach(async () => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), 'events-report-'));
  saas = await startSaasServer();
  stop = new AbortController();
  open = [];
  delivering = [];
});
afterEach(async () => {
  stop.abort(new Error('the test is over'));
  await Promise.all(delivering);
  for (const made of open) made.close();
  await saas[Symbol.asyncDispose]();
  fs.rmSync(directory, { recursive: true, force: true });
});

const clock = createManualClock(new Date('2026-11-20T15:00:00Z'));
const reporting = () => {
  const made = openReporting({ directory, origin: saas.origin, clock });
  open.push(made);
  return made;
};
const deliver = (made: Reporting) => delivering.push(made.outbox.deliver(stop.signal));
const emit = (made: Reporting, from: number, to: number, message = 'Revision') => {
  for (let n = from; n <= to; n += 1)
    made.eventLog.emit({ severity: 'info', reason: 'RevisionSeen', message: `${message} ${n}` });
};
const taken = (made: Reporting) => saas.events(made.eventLog.logId).map((event) => event.seq);
const upTo = (last: number) => Array.from({ length: last }, (_, n) => n + 1);
const cursor = () => {
  const database = openDatabase(path.join(directory, 'agent.db'));
  const value = createStateDocuments(database).read(EVENTS_CURSOR_DOCUMENT);
  database.close();
  return value;
};

describe('events to the SaaS', () => {
  test('arrive in order, gap-free, at most 500 at a time, with the chain whole', async () => {
    const made = reporting();
    emit(made, 1, 1_203);
    deliver(made);
    await eventually('all events', () => taken(made).length === 1_203);
    const batches = saas.to('/edge/events').map((call) => EventBatch.parse(call.body));
    expect(batches.map((batch) => batch.events.length)).toEqual([500, 500, 203]);
    expect(taken(made)).toEqual(upTo(1_203));
    const events = saas.events(made.eventLog.logId);
    for (let n = 1; n < events.length; n += 1) {
      // What the receiver gets is the line itself: it can hash it again.
      const line = JSON.stringify(events[n - 1]);
      expect(events[n]!.prev).toBe(createHash('sha256').update(line).digest('hex'));
    }
    await eventually('an empty queue', () => made.queue.list(9).every((report) => report.kind === 'status'));
    expect(cursor()).toEqual({ log_id: made.eventLog.logId, next_seq: 1_204 });
  });

  test('stay below 1 MiB a batch', async () => {
    const made = reporting();
    for (let n = 1; n <= 600; n += 1) {
      made.eventLog.emit({ severity: 'info', reason: 'RevisionSeen', message: `${n} ${'x'.repeat(4_000)}` });
    }
    deliver(made);
    await eventually('all events', () => taken(made).length === 600);
    const sizes = saas.to('/edge/events').map((call) => Number(call.headers['content-length']));
    expect(Math.max(...sizes)).toBeLessThanOrEqual(1024 * 1024);
    expect(sizes.length).toBeLessThan(6);
  });

  test('that are written while others are on their way follow at once', async () => {
    const made = reporting();
    deliver(made);
    for (let n = 1; n <= 20; n += 1) {
      emit(made, n, n);
      await new Promise((resolve) => setTimeout(resolve, 3));
    }
    await eventually('all events', () => taken(made).length === 20);
    expect(taken(made)).toEqual(upTo(20));
  });

  test('are sent again from where the SaaS lost them', async () => {
    const made = reporting();
    emit(made, 1, 10);
    deliver(made);
    await eventually('ten events', () => taken(made).length === 10);
    saas.forgetEvents(made.eventLog.logId, 4);
    emit(made, 11, 11);
    await eventually('all events', () => taken(made).length === 11);
    expect(taken(made)).toEqual(upTo(11));
  });

  test('go on where the SaaS says that it has them already', async () => {
    const made = reporting();
    emit(made, 1, 10);
    saas.answer('/edge/events', [{ status: 200, body: { next_seq: 8 } }]);
    deliver(made);
    const calls = await saas.until('/edge/events', 2);
    const batches = calls.map((call) => EventBatch.parse(call.body).events.map((event) => event.seq));
    expect(batches[0]).toEqual(upTo(10));
    expect(batches[1]).toEqual([8, 9, 10]);
  });

  test.each([
    ['never moves', { next_seq: 1 }],
    ['says no next_seq', {}],
    ['says nonsense', { next_seq: -5 }],
    ['is a page of a proxy', '<html>Please log in</html>'],
  ])('wait when the answer %s, without a storm of requests', async (_name, body) => {
    const made = reporting();
    emit(made, 1, 3);
    saas.answer('/edge/events', { status: 200, body });
    deliver(made);
    await eventually('a postponed report', () =>
      made.queue.list(9).some((r) => r.kind === 'events' && r.attempts === 1),
    );
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(saas.to('/edge/events')).toHaveLength(1);
    saas.answer('/edge/events', null);
    await clock.advance(1_000);
    await eventually('all events', () => taken(made).length === 3);
  });

  test('never make the cursor go beyond the log, whatever the SaaS says', async () => {
    const made = reporting();
    emit(made, 1, 3);
    saas.answer('/edge/events', [{ status: 200, body: { next_seq: 9_999 } }]);
    deliver(made);
    await eventually('a cursor', () => cursor() !== null);
    expect(cursor()).toEqual({ log_id: made.eventLog.logId, next_seq: 4 });
    expect(made.log.lines.some((line) => /more events of this log/.test(line.message))).toBe(true);
    saas.answer('/edge/events', (call) => {
      const { events } = EventBatch.parse(call.body);
      return { status: 200, body: { next_seq: events.at(-1)!.seq + 1 } };
    });
    emit(made, 4, 4);
    const calls = await saas.until('/edge/events', 2);
    expect(EventBatch.parse(calls[1]!.body).events.map((event) => event.seq)).toEqual([4]);
  });

  test('of a new log begin with 1', async () => {
    const made = reporting();
    emit(made, 1, 5);
    deliver(made);
    await eventually('five events', () => taken(made).length === 5);
    await eventually('a cursor', () => (cursor() as { next_seq: number } | null)?.next_seq === 6);
    stop.abort(new Error('restart'));
    await Promise.all(delivering.splice(0));
    open.pop()!.close();
    fs.rmSync(path.join(directory, 'events.jsonl'));
    stop = new AbortController();
    const again = reporting();
    expect(again.eventLog.logId).not.toBe(made.eventLog.logId);
    emit(again, 1, 2);
    deliver(again);
    // The loss of the old log is the first event of the new one.
    await eventually('three events', () => taken(again).length === 3);
    expect(taken(again)).toEqual([1, 2, 3]);
  });

  test('that the SaaS has not taken are not dropped by rotation', async () => {
    const made = reporting();
    emit(made, 1, 3);
    expect(made.outbox.eventsTakenBefore()).toBe(1);
    deliver(made);
    await eventually('three events', () => made.outbox.eventsTakenBefore() === 4);
    made.setOrigin(null);
    expect(made.outbox.eventsTakenBefore()).toBe(Number.POSITIVE_INFINITY);
  });

  test('are parked when they are refused, and sent on command', async () => {
    const made = reporting();
    saas.answer('/edge/events', { status: 422, body: { error: 'seq 1 is odd' } });
    emit(made, 1, 3);
    deliver(made);
    await eventually('a parked report', () => made.queue.totals().parked === 1);
    await clock.advance(3_600_000);
    expect(saas.to('/edge/events')).toHaveLength(1);
    saas.answer('/edge/events', null);
    made.outbox.retryParked();
    await eventually('all events', () => taken(made).length === 5);
    expect(saas.events(made.eventLog.logId).map((event) => event.reason)).toEqual([
      'RevisionSeen',
      'RevisionSeen',
      'RevisionSeen',
      'ReportParked',
      'ReportRetried',
    ]);
  });
});
