import path from 'node:path';
import type { Chance, Clock } from '../../reconciler/ports.ts';
import type { RunReport } from '../../schemas/run.ts';
import type { Status } from '../../schemas/status.ts';
import { openEventLog } from '../../sinks/event-log.ts';
import { createOutbox, type UploadOptions } from '../../sinks/outbox.ts';
import { createSaasClient } from '../../sinks/saas-client.ts';
import { openDatabase } from '../../store/database.ts';
import { createStateDocuments } from '../../store/documents.ts';
import { createReportQueue } from '../../store/report-queue.ts';
import { createSystemChance } from '../../system/clock.ts';
import { createHttpClient } from '../../system/http-client.ts';
import { recordingLog } from './recording-log.ts';

/** The whole reporting side of an agent on a state directory, as the agent wires it. */
export function openReporting(options: {
  directory: string;
  origin: string | null;
  clock: Clock;
  chance?: Chance;
  /** The files beside the reports; they need the queue and the outbox, so they are made in between. */
  uploads?: (parts: {
    queue: ReturnType<typeof createReportQueue>;
    events: ReturnType<typeof openEventLog>;
    client: ReturnType<typeof createHttpClient>;
    log: ReturnType<typeof recordingLog>;
    queued: (asked: boolean) => void;
  }) => UploadOptions;
  authorize?: (method: string, url: URL) => Promise<string>;
}) {
  const { directory, clock, chance = createSystemChance() } = options;
  let { origin } = options;
  const database = openDatabase(path.join(directory, 'agent.db'));
  const queue = createReportQueue(database);
  const documents = createStateDocuments(database);
  const log = recordingLog();
  const client = createHttpClient({ userAgent: 'edge-agent/test', environment: {} });
  const authorize = options.authorize ?? (async () => 'Bearer test');
  const eventLog = openEventLog({
    directory,
    tenant: 'acme',
    agentId: () => 'agent-1',
    documents,
    clock,
    chance,
    log,
    keepFrom: () => outbox.eventsTakenBefore(),
    onAppend: () => outbox?.eventsWritten(),
  });
  const status = { changes: 0 };
  const outbox: ReturnType<typeof createOutbox> = createOutbox({
    queue,
    history: eventLog,
    events: eventLog,
    documents,
    post: () =>
      origin === null
        ? null
        : createSaasClient({ client, saasUrl: origin, authorize, clock, deadlineMs: 2_000 }).post,
    ...(options.uploads === undefined
      ? {}
      : {
          uploads: options.uploads({
            queue,
            events: eventLog,
            client,
            log,
            queued: (asked) => outbox.uploadsQueued(asked),
          }),
        }),
    statusProvider: () => ({ ...someStatus(clock.now(), status.changes), outbox: queue.totals() }),
    clock,
    chance,
    log,
  });
  return {
    outbox,
    eventLog,
    queue,
    log,
    status,
    setOrigin(next: string | null) {
      origin = next;
    },
    close() {
      eventLog.close();
      database.close();
      client.close();
    },
  };
}
export type Reporting = ReturnType<typeof openReporting>;

export function someReport(runId: string, more: Partial<RunReport> = {}): RunReport {
  return {
    run_id: runId,
    stdout: 'done\n',
    stderr: '',
    status: 'succeeded',
    attempt: 1,
    flow: 'invoice-bot',
    version: 'v1.0.7',
    sha256: 'a'.repeat(64),
    revision: `tenant/acme@sha1:${'0'.repeat(40)}`,
    trigger: 'schedule',
    exit_code: 0,
    reason: null,
    started_at: '2026-11-20T15:00:00.000Z',
    finished_at: '2026-11-20T15:00:01.000Z',
    truncated: { stdout: 0, stderr: 0 },
    outputs: [],
    ...more,
  };
}

/** `changes` is told as the number of running runs, so that a test sees which status it got. */
function someStatus(now: Date, changes = 0): Status {
  return {
    agent_id: 'agent-1',
    tenant: 'acme',
    agent_version: '0.1.0',
    os: 'linux',
    arch: 'x86_64',
    labels: {},
    generated_at: now.toISOString(),
    trust: { mode: 'required', root_version: 1, seq: 1, release_expires: null },
    suspended: null,
    config: { digest: 'd', error: null },
    source: {
      kind: 'git',
      desired_revision: null,
      last_attempted_revision: null,
      last_applied_revision: null,
      last_sync_at: null,
      next_attempt_at: null,
      commit: null,
    },
    tunnel: { state: 'none', since: null },
    flows: [],
    conditions: [],
    runs: { running: changes, queued: 0, last: null },
    outbox: { pending: 0, oldest_at: null, parked: 0 },
    disk: { used: 0, free: 0 },
    clock_offset_ms: null,
    isolation: 'none',
  };
}

/** Waits, in real time, until it is so. */
export async function eventually(what: string, holds: () => boolean, withinMs = 30_000): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (!holds()) {
    if (performance.now() > deadline) throw new Error(`expected ${what} within ${withinMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
