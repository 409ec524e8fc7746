import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openDatabase } from '../../store/database.ts';
import { createReportQueue } from '../../store/report-queue.ts';
import { createManualClock } from '../../system/clock.ts';
import { eventually, openReporting, someReport } from '../support/reporting.ts';
import { type SaasServer, startSaasServer } from '../support/saas-server.ts';

const REPORTS = 10_000;
const HOUR_MS = 3_600_000;
const MIB = 1_024 * 1_024;

let directory: string;
let saas: SaasServer;
beforeEach(async () => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), 'outage-'));
  saas = await startSaasServer();
});
afterEach(async () => {
  await saas[Symbol.asyncDispose]();
  fs.rmSync(directory, { recursive: true, force: true });
});

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;
const heap = () => {
  collect();
  return process.memoryUsage().heapUsed + process.memoryUsage().external;
};

/** An agent for as long as `live` goes on: opened at a time, ended without a last word. */
const agent = async (
  now: Date,
  live: (
    made: ReturnType<typeof openReporting>,
    clock: ReturnType<typeof createManualClock>,
  ) => Promise<void>,
) => {
  const clock = createManualClock(now);
  const made = openReporting({
    directory,
    origin: saas.origin,
    clock,
    chance: { uniform: () => 1, uuidv7: () => crypto.randomUUID() },
  });
  const stop = new AbortController();
  const delivering = made.outbox.deliver(stop.signal);
  try {
    await live(made, clock);
  } finally {
    stop.abort(new Error('the end'));
    await delivering;
    made.close();
  }
};

test('a week without the console, with a restart every day and 10,000 reports, loses nothing and holds no memory', async () => {
  const start = Date.parse('2026-11-13T00:00:00Z');
  const database = openDatabase(path.join(directory, 'agent.db'));
  const queue = createReportQueue(database);
  const stdout = 'x'.repeat(4_096);
  database.transaction(() => {
    for (let n = 0; n < REPORTS; n += 1) {
      const run = `run-${String(n).padStart(5, '0')}`;
      queue.add({ kind: 'notify', key: `${run}.1`, body: someReport(run, { stdout }), at: new Date(start) });
    }
  });
  database.close();

  for (const kind of ['notify', 'status', 'events']) saas.answer(`/edge/${kind}`, 'cut');
  const held: number[] = [];
  let tried = 0;
  for (let day = 0; day < 7; day += 1) {
    await agent(new Date(start + day * 24 * HOUR_MS), async (made, clock) => {
      for (let hour = 0; hour < 24; hour += 1) {
        await saas.until('/edge/notify', tried + 1);
        tried = saas.to('/edge/notify').length;
        await eventually('a failed attempt', () =>
          made.log.lines.some(({ fields }) => fields?.['kind'] === 'notify'),
        );
        made.log.lines.length = 0;
        await clock.advance(HOUR_MS);
      }
      expect(made.queue.totals()).toMatchObject({ parked: 0 });
    });
    saas.calls.length = 0;
    tried = 0;
    held.push(heap());
  }
  // 40 MB wait on disk.
  expect(fs.statSync(path.join(directory, 'agent.db')).size).toBeGreaterThan(40 * MIB);
  expect(Math.max(...held) - (held[0] as number)).toBeLessThan(10 * MIB);

  await agent(new Date(start + 7 * 24 * HOUR_MS), async (made, clock) => {
    await saas.until('/edge/notify', 1);
    await eventually('a failed attempt', () =>
      made.log.lines.some(({ fields }) => fields?.['kind'] === 'notify'),
    );
    for (const kind of ['notify', 'status', 'events']) saas.answer(`/edge/${kind}`, null);
    saas.answer('/edge/notify', (call) => {
      delivered.push((call.body as { run_id: string }).run_id);
      saas.calls.length = 0;
      return { status: 201, body: {} };
    });
    const delivered: string[] = [];
    // The longest wait there is: then everything comes, without another.
    await clock.advance(5 * 60_000);
    await eventually('all of them', () => made.queue.nextDueAt('notify') === null, 90_000);
    expect(new Set(delivered).size).toBe(REPORTS);
    expect(delivered).toHaveLength(REPORTS);
  });
}, 360_000);
