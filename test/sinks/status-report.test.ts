import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Status } from '../../schemas/status.ts';
import { createManualClock, type ManualClock } from '../../system/clock.ts';
import { openReporting, type Reporting } from '../support/reporting.ts';
import { type SaasServer, startSaasServer } from '../support/saas-server.ts';

let directory: string;
let saas: SaasServer;
let stop: AbortController;
let clock: ManualClock;
let made: Reporting;
let delivering: Promise<void>;
beforeEach(async () => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), 'status-report-'));
  saas = await startSaasServer();
  stop = new AbortController();
  clock = createManualClock(new Date('2026-11-20T15:00:00Z'));
  made = openReporting({ directory, origin: saas.origin, clock });
  delivering = made.outbox.deliver(stop.signal);
});
afterEach(async () => {
  stop.abort(new Error('the test is over'));
  await delivering;
  made.close();
  await saas[Symbol.asyncDispose]();
  fs.rmSync(directory, { recursive: true, force: true });
});

const settle = () => new Promise((resolve) => setTimeout(resolve, 40));
const sent = () => saas.to('/edge/status').map((call) => Status.parse(call.body));

describe('the status to the SaaS', () => {
  test('goes out when the agent starts and every five minutes', async () => {
    await saas.until('/edge/status', 1);
    await clock.advance(299_000);
    await settle();
    expect(sent()).toHaveLength(1);
    await clock.advance(1_000);
    await saas.until('/edge/status', 2);
    await clock.advance(300_000);
    const calls = await saas.until('/edge/status', 3);
    expect(calls).toHaveLength(3);
    expect(sent().map((status) => status.generated_at.slice(11, 19))).toEqual([
      '15:00:00',
      '15:05:00',
      '15:10:00',
    ]);
  });

  test('counts what else waits, and not the report that it is', async () => {
    await saas.until('/edge/status', 1);
    expect(sent()[0]!.outbox).toEqual({ pending: 0, oldest_at: null, parked: 0 });
    made.queue.add({ kind: 'upload', key: 'a file', body: {}, at: clock.now() });
    made.outbox.statusChanged();
    await saas.until('/edge/status', 2);
    expect(sent()[1]!.outbox).toEqual({ pending: 1, oldest_at: '2026-11-20T15:00:00.000Z', parked: 0 });
  });

  test('goes out at once on a change of conditions, as often as there is one', async () => {
    await saas.until('/edge/status', 1);
    for (let n = 2; n <= 4; n += 1) {
      made.status.changes = n;
      made.outbox.statusChanged();
      await saas.until('/edge/status', n);
    }
    expect(sent().map((status) => status.runs.running)).toEqual([0, 2, 3, 4]);
  });

  test('goes out at most every ten seconds for anything else, and then as it is', async () => {
    await saas.until('/edge/status', 1);
    for (let n = 1; n <= 50; n += 1) {
      made.status.changes = n;
      made.outbox.statusTouched();
    }
    await clock.advance(9_000);
    await settle();
    expect(sent()).toHaveLength(1);
    await clock.advance(1_000);
    await saas.until('/edge/status', 2);
    expect(sent()[1]!.runs.running).toBe(50);
    await clock.advance(60_000);
    await settle();
    expect(sent()).toHaveLength(2);
    made.outbox.statusTouched();
    expect(await saas.until('/edge/status', 3)).toHaveLength(3);
  });

  test('is the newest after an outage, once', async () => {
    await saas.until('/edge/status', 1);
    saas.answer('/edge/status', { status: 503 });
    made.outbox.statusChanged();
    await saas.until('/edge/status', 2);
    for (let n = 1; n <= 30; n += 1) {
      made.status.changes = n;
      made.outbox.statusChanged();
    }
    await settle();
    saas.answer('/edge/status', null);
    const before = sent().length;
    made.status.changes = 99;
    await clock.advance(5_000);
    await saas.until('/edge/status', before + 1);
    await settle();
    expect(
      sent()
        .slice(before)
        .map((status) => status.runs.running),
    ).toEqual([99]);
  });

  test('that changes while one is on its way is sent after it', async () => {
    await saas.until('/edge/status', 1);
    saas.answer('/edge/status', () => {
      saas.answer('/edge/status', null);
      made.status.changes = 7;
      made.outbox.statusChanged();
      return { status: 204 };
    });
    made.outbox.statusChanged();
    await saas.until('/edge/status', 3);
    expect(sent().at(-1)!.runs.running).toBe(7);
  });

  test('is replaced, not piled up, when the SaaS refuses it', async () => {
    await saas.until('/edge/status', 1);
    saas.answer('/edge/status', { status: 422 });
    for (let n = 2; n <= 4; n += 1) {
      made.outbox.statusChanged();
      await saas.until('/edge/status', n);
      await settle();
    }
    expect(made.queue.list(9).filter((report) => report.kind === 'status')).toHaveLength(1);
    const parked = (await made.eventLog.read(1, 99)).filter((event) => event.reason === 'ReportParked');
    expect(parked).toHaveLength(1);
  });
});
