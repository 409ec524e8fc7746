import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createDispatcher, type Dispatcher, type DispatcherDeps } from '../../reconciler/dispatcher.ts';
import type { Executor, RunRequest, RunResult, RunSettings, RunStore } from '../../reconciler/ports.ts';
import { type AgentRecords, createAgentRecords } from '../../reconciler/records.ts';
import { unstarted } from '../../reconciler/run-outcome.ts';
import type { Current } from '../../schemas/current.ts';
import type { EventDraft } from '../../schemas/event.ts';
import type { FlowSpec } from '../../schemas/flow-spec.ts';
import type { RunReport } from '../../schemas/run.ts';
import { type Database, IN_MEMORY, openDatabase } from '../../store/database.ts';
import { createStateDocuments } from '../../store/documents.ts';
import { createReportQueue } from '../../store/report-queue.ts';
import { createRunStore } from '../../store/run-store.ts';
import { createManualClock, createSystemChance, type ManualClock } from '../../system/clock.ts';
import { activeFlow, flowSpec, flowState, NOW, pointer } from './fixtures.ts';

/** An attempt that is under way until the test ends it. */
export interface RunningAttempt {
  readonly request: RunRequest;
  end(result?: Partial<RunResult>): void;
  readonly cancelled: boolean;
}

export interface DispatcherBench {
  readonly clock: ManualClock;
  readonly records: AgentRecords;
  readonly runs: RunStore;
  readonly events: EventDraft[];
  readonly started: { run_id: string; attempt: number }[];
  readonly settings: { concurrency: number };
  readonly running: Map<string, RunningAttempt>;
  readonly executor: Executor;
  readonly database: Database;
  /** While it is full no transaction is committed, and what it held is undone. */
  readonly disk: { full: boolean };
  current: Current;
  /** As another life of the agent over the same state finds it. */
  dispatcher(change?: Partial<DispatcherDeps>): Dispatcher;
  /** Makes a flow active as if it had been released. */
  activate(change: Partial<FlowSpec>, previous?: Partial<FlowSpec>): void;
  /** Reports in the outbox, in the order they were put there. */
  reports(): RunReport[];
  reasons(runId?: string): string[];
  /** Lets everything that can happen without time passing happen. */
  settle(): Promise<void>;
  dispose(): void;
}

/** A dispatcher over the real SQLite stores; attempts end when the test says so, time passes when the test says so. */
export function createDispatcherBench({ onDisk = false } = {}): DispatcherBench {
  const folder = mkdtempSync(join(tmpdir(), 'dispatcher-'));
  const disk = { full: false };
  const database = filling(openDatabase(onDisk ? join(folder, 'agent.db') : IN_MEMORY), disk);
  const records = createAgentRecords(createStateDocuments(database));
  const runs = createRunStore(database);
  const queue = createReportQueue(database);
  const clock = createManualClock(NOW);
  const running = new Map<string, RunningAttempt>();
  const settings = { concurrency: 2 };
  const events: EventDraft[] = [];
  const started: { run_id: string; attempt: number }[] = [];

  const executor: Executor = {
    runtime: 'python',
    supports: () => Promise.resolve({ kind: 'supported' }),
    prepare: () => Promise.resolve({ kind: 'ready' }),
    start(request) {
      const done = Promise.withResolvers<RunResult>();
      const attempt = {
        request,
        cancelled: false,
        end(result: Partial<RunResult> = {}) {
          if (running.get(request.runId) === attempt) running.delete(request.runId);
          done.resolve({ ...unstarted('exit code 1', clock.now()), exitCode: 1, ...result });
        },
      };
      running.set(request.runId, attempt);
      const cancel = () => {
        attempt.cancelled = true;
        attempt.end({ status: 'cancelled', exitCode: null, reason: 'cancelled; it ended when interrupted' });
      };
      return Promise.resolve({ process: { pid: 1, started: 'now' }, cancel, done: done.promise });
    },
  };

  const bench: DispatcherBench = {
    clock,
    records,
    runs,
    events,
    started,
    settings,
    running,
    executor,
    database,
    disk,
    current: pointer(),
    dispatcher: (change = {}) =>
      createDispatcher({
        runs,
        store: { current: () => bench.current, absolute: (path) => join(folder, path) },
        records,
        executors: new Map([['python', executor]]),
        reports: {
          run: (report) =>
            queue.add({
              kind: 'notify',
              key: `${report.run_id}.${report.attempt}`,
              body: report,
              at: clock.now(),
            }),
          statusChanged: () => {},
        },
        events: { emit: (event) => void events.push(event) },
        clock,
        chance: createSystemChance(),
        tenant: 'acme',
        settings: () => ({ defaultTimeoutMs: 60_000, ...settings }) as RunSettings,
        secrets: () => Promise.resolve({}),
        runDirectory: (runId, attempt) => join(folder, runId, String(attempt)),
        listener: {
          started: ({ run_id, attempt }) => void started.push({ run_id, attempt }),
          completed: () => {},
        },
        endOrphans: () => Promise.resolve({ ended: 0, left: 0 }),
        salvage: () =>
          Promise.resolve({ stdout: new TextEncoder().encode('kept'), stderr: new Uint8Array() }),
        onFault: (error) => {
          throw error;
        },
        ...change,
      }),
    activate(change, previous) {
      const spec = flowSpec(change);
      const before = previous === undefined ? null : flowSpec({ ...change, ...previous });
      records.saveFlow(
        spec.id,
        flowState(
          spec,
          before === null
            ? {}
            : { previous: { spec: before, entrypoint: 'main.py', revision: 'tenant/acme@sha1:0' } },
        ),
      );
      const place = (of: FlowSpec) => ({
        version: of.version,
        sha256: of.sha256,
        path: `flows/${of.id}/${of.version}`,
      });
      const active = activeFlow({
        ...place(spec),
        activated_at: clock.now().toISOString(),
        previous: before === null ? null : place(before),
      });
      bench.current = pointer({ ...bench.current.flows, [spec.id]: active });
    },
    reports: () =>
      queue.list(10_000).flatMap((report) => (report.kind === 'notify' ? [report.body as RunReport] : [])),
    reasons: (runId) =>
      events.flatMap((event) => (runId === undefined || event.run_id === runId ? [event.reason] : [])),
    async settle() {
      for (let turn = 0; turn < 8; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    },
    dispose() {
      database.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
  return bench;
}

/** As SQLite does it: a full disk is found out at COMMIT, and everything is undone. */
function filling(database: Database, disk: { readonly full: boolean }): Database {
  let depth = 0;
  return {
    ...database,
    transaction: (work) =>
      database.transaction(() => {
        depth += 1;
        try {
          const result = work();
          if (disk.full && depth === 1) throw new Error('database or disk is full');
          return result;
        } finally {
          depth -= 1;
        }
      }),
  };
}

/** The run id of what was queued; fails when it was not. */
export function queued(submission: ReturnType<Dispatcher['submit']>): string {
  if (submission.kind !== 'queued') throw new Error(`expected a queued run, found ${submission.kind}`);
  return submission.runId;
}
