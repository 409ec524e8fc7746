import { type ChildProcess, spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openDatabase } from '../../store/database.ts';
import { createReportQueue } from '../../store/report-queue.ts';
import { createManualClock, createSystemClock } from '../../system/clock.ts';
import { type ReportSinkHarness, reportSinkContract } from '../contract/report-sink.ts';
import { eventually, openReporting, type Reporting, someReport } from '../support/reporting.ts';
import { type SaasServer, startSaasServer } from '../support/saas-server.ts';

let directory: string;
let saas: SaasServer;
let stop: AbortController;
let open: Reporting[];
let delivering: Promise<void>[];
beforeEach(async () => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), 'outbox-'));
  saas = await startSaasServer();
  stop = new AbortController();
  open = [];
  delivering = [];
});
afterEach(async () => {
  stop.abort(new Error('the test is over'));
  await Promise.all(delivering);
  for (const reporting of open) reporting.close();
  await saas[Symbol.asyncDispose]();
  fs.rmSync(directory, { recursive: true, force: true });
});

const start = new Date('2026-11-20T15:00:00Z');
const reporting = (
  options: { origin?: string | null; clock?: ReturnType<typeof createManualClock> } = {},
) => {
  const clock = options.clock ?? createManualClock(start);
  const origin = options.origin === undefined ? saas.origin : options.origin;
  const chance = { uniform: () => 0.5, uuidv7: () => crypto.randomUUID() };
  const made = { ...openReporting({ directory, origin, clock, chance }), clock };
  open.push(made);
  return made;
};
const deliver = (made: Reporting) => delivering.push(made.outbox.deliver(stop.signal));
const runsTo = (server: SaasServer) =>
  server.to('/edge/notify').map((call) => (call.body as { run_id: string }).run_id);

reportSinkContract('the outbox', async (): Promise<ReportSinkHarness> => {
  const place = fs.mkdtempSync(path.join(os.tmpdir(), 'outbox-contract-'));
  const server = await startSaasServer();
  const taken = new Set<unknown>();
  const harness = (): ReportSinkHarness => {
    const made = openReporting({ directory: place, origin: server.origin, clock: createSystemClock() });
    return {
      sink: made.outbox,
      received: () =>
        server
          .to('/edge/notify')
          .filter((call) => !taken.has(call))
          .map((call) => call.body),
      statuses: () => server.to('/edge/status').length,
      setReachable(reachable) {
        for (const call of server.calls) if (!reachable) taken.add(call);
        const away = (call: unknown) => {
          taken.add(call);
          return 'cut' as const;
        };
        for (const kind of ['notify', 'status', 'events'])
          server.answer(`/edge/${kind}`, reachable ? null : away);
      },
      async deliver() {
        made.outbox.hurry();
        await made.outbox.flushOnce();
      },
      async reopen() {
        made.close();
        return harness();
      },
      async close() {
        made.close();
        await server[Symbol.asyncDispose]();
        fs.rmSync(place, { recursive: true, force: true });
      },
    };
  };
  return harness();
});

describe('the outbox of a daemon', () => {
  test('sends the report of a run with the idempotency key and the agent’s word', async () => {
    const made = reporting();
    deliver(made);
    made.outbox.run(someReport('run-1', { attempt: 2 }));
    const [call] = await saas.until('/edge/notify', 1);
    expect(call!.headers['idempotency-key']).toBe('run-1.2');
    expect(call!.headers.authorization).toBe('Bearer test');
    expect(call!.headers['content-type']).toBe('application/json');
    await eventually('an empty queue', () => made.queue.list(9).every((report) => report.kind !== 'notify'));
  });

  test('tries again after 1 s doubling to 5 min, and delivers after days', async () => {
    const made = reporting();
    saas.answer('/edge/notify', { status: 503 });
    deliver(made);
    made.outbox.run(someReport('run-1'));
    await saas.until('/edge/notify', 1);
    const waits: number[] = [];
    for (let n = 1; n <= 14; n += 1) {
      await eventually('a postponed report', () =>
        made.queue.list(9).some((r) => r.kind === 'notify' && r.attempts === n),
      );
      const report = made.queue.list(9).find((r) => r.kind === 'notify')!;
      const waitMs = Date.parse(report.next_attempt_at) - made.clock.now().getTime();
      waits.push(waitMs);
      await made.clock.advance(waitMs - 1);
      expect(saas.to('/edge/notify')).toHaveLength(n);
      await made.clock.advance(1);
      await saas.until('/edge/notify', n + 1);
    }
    expect(waits.slice(0, 4)).toEqual([750, 1_500, 3_000, 6_000]);
    expect(waits.at(-1)).toBe(225_000);
    saas.answer('/edge/notify', null);
    await made.clock.advance(3 * 24 * 3_600_000);
    await eventually('delivery', () => made.queue.list(9).every((r) => r.kind !== 'notify'));
    expect(new Set(runsTo(saas))).toEqual(new Set(['run-1']));
  });

  test('waits as long as Retry-After says', async () => {
    const made = reporting();
    saas.answer('/edge/notify', [{ status: 429, headers: { 'retry-after': '120' } }]);
    deliver(made);
    made.outbox.run(someReport('run-1'));
    await eventually('a postponed report', () => made.queue.list(9).some((r) => r.attempts === 1));
    await made.clock.advance(119_000);
    expect(saas.to('/edge/notify')).toHaveLength(1);
    await made.clock.advance(1_000);
    expect(await saas.until('/edge/notify', 2)).toHaveLength(2);
  });

  test('leaves the other destinations alone when one hangs or fails', async () => {
    const made = reporting();
    saas.answer('/edge/notify', 'hang');
    deliver(made);
    made.outbox.run(someReport('run-1'));
    made.eventLog.emit({ severity: 'info', reason: 'AgentStarted', message: 'Started' });
    made.outbox.statusChanged();
    await saas.until('/edge/notify', 1);
    await saas.until('/edge/events', 1);
    await saas.until('/edge/status', 1);
    expect(saas.events(made.eventLog.logId)).toHaveLength(1);
  });

  test.each([400, 409, 413, 422])(
    'parks a report that is refused with %i, says so, and goes on',
    async (status) => {
      const made = reporting();
      saas.answer('/edge/notify', (call) =>
        (call.body as { run_id: string }).run_id === 'poison'
          ? { status, body: { error: 'no such flow' } }
          : { status: 201 },
      );
      deliver(made);
      made.outbox.run(someReport('poison'));
      made.outbox.run(someReport('run-2'));
      await saas.until('/edge/notify', 2);
      await eventually('a parked report', () => made.queue.totals().parked === 1);
      expect(made.queue.list(9).find((r) => r.key === 'poison.1')!.parked).toMatch(
        new RegExp(`expected 2xx, found ${status}: .*no such flow`),
      );
      await made.clock.advance(3_600_000);
      expect(runsTo(saas)).toEqual(['poison', 'run-2']);
      const [event] = (await made.eventLog.read(1, 9)).filter((e) => e.reason === 'ReportParked');
      expect(event).toMatchObject({ severity: 'warning', run_id: 'poison' });

      saas.answer('/edge/notify', null);
      expect(made.outbox.retryParked()).toBe(1);
      await saas.until('/edge/notify', 3);
      await eventually('delivery', () => made.queue.totals().parked === 0);
      expect(await made.eventLog.tail(1)).toMatchObject([{ reason: 'ReportRetried' }]);
    },
  );

  test.each([301, 401, 403, 404, 500, 502])('keeps a report that got %i for later', async (status) => {
    const made = reporting();
    saas.answer('/edge/notify', [
      { status, headers: status === 301 ? { location: 'https://elsewhere.example/?t=x' } : {} },
    ]);
    deliver(made);
    made.outbox.run(someReport('run-1'));
    await eventually('a postponed report', () => made.queue.list(9).some((r) => r.attempts === 1));
    await made.clock.advance(1_000);
    expect(await saas.until('/edge/notify', 2)).toHaveLength(2);
    await eventually('delivery', () => made.queue.list(9).every((r) => r.kind !== 'notify'));
  });

  test('one report that always fails does not hold up the others', async () => {
    const made = reporting();
    saas.answer('/edge/notify', (call) => ({
      status: (call.body as { run_id: string }).run_id === 'poison' ? 500 : 201,
    }));
    deliver(made);
    made.outbox.run(someReport('poison'));
    for (let n = 1; n <= 5; n += 1) made.outbox.run(someReport(`run-${n}`));
    await saas.until('/edge/notify', 1);
    await eventually('a postponed report', () => made.queue.list(9).some((r) => r.attempts === 1));
    await made.clock.advance(750);
    await eventually('six attempts after the first', () => saas.to('/edge/notify').length === 7);
    expect(runsTo(saas)).toEqual(['poison', 'run-1', 'run-2', 'run-3', 'run-4', 'run-5', 'poison']);
  });

  test('asks a server that is down once for each wait, not once for each report', async () => {
    const made = reporting();
    saas.answer('/edge/notify', 'cut');
    for (let n = 1; n <= 50; n += 1) made.outbox.run(someReport(`run-${n}`));
    deliver(made);
    for (let n = 0; n < 60; n += 1) {
      await made.clock.advance(1_000);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    expect(saas.to('/edge/notify').length).toBeLessThan(12);
  });

  test('keeps the reports of one run in order when the first of them fails', async () => {
    const made = reporting();
    saas.answer('/edge/notify', [{ status: 500 }]);
    made.outbox.run(someReport('run-1', { attempt: 1 }));
    made.outbox.run(someReport('run-1', { attempt: 2 }));
    deliver(made);
    await saas.until('/edge/notify', 1);
    for (let n = 0; n < 10; n += 1) {
      await made.clock.advance(500);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    const keys = saas.to('/edge/notify').map((call) => call.headers['idempotency-key']);
    expect(keys).toEqual(['run-1.1', 'run-1.1', 'run-1.2']);
  });

  test('keeps them in order over a restart too', async () => {
    const first = reporting();
    saas.answer('/edge/notify', [{ status: 500 }]);
    first.outbox.run(someReport('run-1', { attempt: 1 }));
    await first.outbox.flushOnce();
    first.close();
    open.length = 0;
    const again = reporting();
    again.outbox.run(someReport('run-1', { attempt: 2 }));
    again.outbox.run(someReport('run-2'));
    deliver(again);
    for (let n = 0; n < 10; n += 1) {
      await again.clock.advance(500);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    const keys = saas.to('/edge/notify').map((call) => call.headers['idempotency-key']);
    expect(keys).toEqual(['run-1.1', 'run-2.1', 'run-1.1', 'run-1.2']);
  });

  test('is not silenced by a clock that was set back for years', async () => {
    const made = reporting();
    saas.answer('/edge/notify', [{ status: 503 }]);
    deliver(made);
    made.outbox.run(someReport('run-1'));
    await eventually('a postponed report', () => made.queue.list(9).some((r) => r.attempts === 1));
    made.clock.set(new Date('2016-01-01T00:00:00Z'));
    await made.clock.advance(20 * 60_000);
    expect(await saas.until('/edge/notify', 2)).toHaveLength(2);
  });

  test('keeps everything and sends nothing without a SaaS, and sends it once there is one', async () => {
    const made = reporting({ origin: null });
    deliver(made);
    made.outbox.run(someReport('run-1'));
    made.eventLog.emit({ severity: 'info', reason: 'AgentStarted', message: 'Started' });
    await made.clock.advance(24 * 3_600_000);
    await made.outbox.flushOnce();
    expect(saas.calls).toEqual([]);
    expect(made.queue.list(1_000).filter((r) => r.kind === 'status')).toHaveLength(1);
    made.setOrigin(saas.origin);
    made.outbox.hurry();
    await saas.until('/edge/notify', 1);
    await saas.until('/edge/events', 1);
    await saas.until('/edge/status', 1);
  });

  test('stops at once when told to, and what was on its way is still due', async () => {
    const made = reporting();
    saas.answer('/edge/notify', 'hang');
    made.outbox.run(someReport('run-1'));
    deliver(made);
    await saas.until('/edge/notify', 1);
    const started = performance.now();
    stop.abort(new Error('SIGTERM'));
    await Promise.all(delivering);
    expect(performance.now() - started).toBeLessThan(500);
    expect(made.queue.list(9).find((r) => r.kind === 'notify')).toMatchObject({ attempts: 0, parked: null });
  });
});

describe('the outbox of one command', () => {
  test('tries each due report once, whatever became of the one before', async () => {
    const made = reporting();
    saas.answer('/edge/notify', [{ status: 500 }, 'cut']);
    for (let n = 1; n <= 4; n += 1) made.outbox.run(someReport(`run-${n}`));
    await made.outbox.flushOnce();
    expect(runsTo(saas)).toEqual(['run-1', 'run-2', 'run-3', 'run-4']);
    expect(made.queue.list(9).map((r) => r.key)).toEqual(['run-1.1', 'run-2.1']);
  });

  test('ends at its deadline when the SaaS does not answer', async () => {
    const made = openReporting({ directory, origin: saas.origin, clock: createSystemClock() });
    open.push(made);
    saas.answer('/edge/notify', 'hang');
    made.outbox.run(someReport('run-1'));
    const started = performance.now();
    await made.outbox.flushOnce({ deadlineMs: 200 });
    expect(performance.now() - started).toBeLessThan(1_500);
    expect(made.queue.totals().pending).toBe(1);
  });
});

describe('an agent that is killed', () => {
  const spawned: ChildProcess[] = [];
  afterEach(() => {
    for (const child of spawned.splice(0)) child.kill('SIGKILL');
  });
  const runProcess = async (...runs: string[]): Promise<ChildProcess> => {
    const script = path.join(import.meta.dirname, '../support/reporting-process.ts');
    const child = spawn(process.execPath, [script, directory, saas.origin, ...runs], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    spawned.push(child);
    await new Promise<void>((resolve, reject) => {
      child.stdout.once('data', () => resolve());
      child.once('exit', (code) => reject(new Error(`expected a running process, found exit ${code}`)));
    });
    return child;
  };
  const kill = async (child: ChildProcess) => {
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await gone;
  };

  test('delivers everything after the restart: runs in order, events without a gap, nothing twice that was taken', async () => {
    saas.answer('/edge/notify', (call) =>
      (call.body as { run_id: string }).run_id === 'run-1' ? { status: 201 } : { status: 503 },
    );
    saas.answer('/edge/events', { status: 503 });
    const first = await runProcess('run-1', 'run-2', 'run-3');
    await saas.until('/edge/notify', 2);
    await saas.until('/edge/events', 1);
    await kill(first);
    const before = saas.to('/edge/notify').length;

    saas.answer('/edge/notify', null);
    saas.answer('/edge/events', null);
    const second = await runProcess('run-4');
    await saas.until('/edge/notify', before + 3);
    const logId = (saas.to('/edge/events')[0]!.body as { log_id: string }).log_id;
    await eventually('four events', () => saas.events(logId).length === 4);
    // What was taken and not yet noted would rightly come twice.
    const database = openDatabase(path.join(directory, 'agent.db'));
    await eventually('an empty queue', () =>
      createReportQueue(database)
        .list(9)
        .every((r) => r.kind === 'status'),
    );
    database.close();
    await kill(second);
    const after = runsTo(saas).slice(before);
    expect(after.toSorted()).toEqual(['run-2', 'run-3', 'run-4']);
    expect(saas.events(logId).map((event) => event.message)).toEqual([
      'Run run-1',
      'Run run-2',
      'Run run-3',
      'Run run-4',
    ]);

    const third = reporting({ clock: createManualClock(new Date()) });
    expect(third.queue.list(9).filter((r) => r.kind === 'notify')).toEqual([]);
    expect(await third.eventLog.verify()).toMatchObject({ kind: 'intact', events: 4 });
  }, 180_000);
});
