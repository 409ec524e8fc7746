import { existsSync } from 'node:fs';
import { readFile, statfs } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createFlowSandbox } from '../executors/flow-sandbox.ts';
import { isolationLevel, isSandboxed } from '../executors/isolation.ts';
import type { RunRecord } from '../reconciler/ports.ts';
import { createAgentRecords } from '../reconciler/records.ts';
import { createServiceRecords } from '../reconciler/service-records.ts';
import { Current, EMPTY_CURRENT } from '../schemas/current.ts';
import type { Event } from '../schemas/event.ts';
import type { RunSummary } from '../schemas/run.ts';
import type { RunTimeline } from '../schemas/run-timeline.ts';
import type { Status } from '../schemas/status.ts';
import { openEventHistory } from '../sinks/event-history.ts';
import { type Database, IN_MEMORY, openDatabase } from '../store/database.ts';
import { createDiskUsage } from '../store/disk-usage.ts';
import { createStateDocuments } from '../store/documents.ts';
import { storeLayout } from '../store/layout.ts';
import { createReportQueue } from '../store/report-queue.ts';
import { createRunStore } from '../store/run-store.ts';
import { createSystemClock } from '../system/clock.ts';
import { type ControlPeer, controlPeer, createControlClient } from './control-client.ts';
import { effectiveSettings } from './effective-settings.ts';
import { toOperationError } from './explain-error.ts';
import { loadConfig } from './load-config.ts';
import { type Obstacles, obstaclesOf } from './obstacles.ts';
import { OperationError } from './operation-error.ts';
import { expectOwnFolder } from './own-folder.ts';
import { agentPaths } from './paths.ts';
import { createRunFiles, type OutputChunk, type OutputStream } from './run-files.ts';
import { toSummary } from './run-summary.ts';
import { runTimeline } from './run-timeline.ts';
import { followServiceOutput } from './service-output.ts';
import { expectOwnState, stateClaim } from './state-owner.ts';
import { statusDocument } from './status-document.ts';
import { tenantDocuments } from './tenant-documents.ts';
import { toWaitingReport, type WaitingReport } from './waiting-report.ts';

const FOLLOW_EVERY_MS = 100;

/** Where to begin with what a run printed; everything when nothing is said. */
export interface OutputFrom {
  /** The first attempt to show; later ones are shown whole. */
  readonly attempt?: number;
  /** That one alone. */
  readonly stream?: OutputStream;
  /** Bytes of each stream of the first attempt to leave out. */
  readonly offset?: number;
}

/** Looks at an agent's state without changing it: no lock is taken, and a daemon goes on beside it. */
export interface Observer {
  status(signal: AbortSignal): Promise<Status>;
  /** Why flows and the tunnel are not as they should be. */
  obstacles(signal: AbortSignal): Promise<Obstacles>;
  /** The daemon, or the command, that works on this state now. */
  peer(signal: AbortSignal): Promise<ControlPeer | null>;
  events(last: number): Promise<Event[]>;
  followEvents(from: number, signal: AbortSignal): AsyncIterable<Event>;
  /** What waits for the console, parked or not, oldest first. */
  reports(filter: { parkedOnly: boolean; limit: number }): WaitingReport[];
  runs(flow: string | null, limit: number): RunSummary[];
  run(runId: string): RunRecord | null;
  /** One run from its trigger to its commit; null when there is none of this id. */
  timeline(runId: string): RunTimeline | null;
  output(runId: string, attempt: number): Promise<{ stdout: string; stderr: string }>;
  /** What a run prints, attempt by attempt; with `follow` until the run is finished. */
  followOutput(
    runId: string,
    options: { readonly follow: boolean; readonly from?: OutputFrom },
    signal: AbortSignal,
  ): AsyncIterable<OutputChunk>;
  /** What the processes of a service print; null when the flow never had one. */
  serviceOutput(
    flow: string,
    options: { readonly follow: boolean; readonly stream?: OutputStream },
    signal: AbortSignal,
  ): AsyncIterable<OutputChunk> | null;
  close(): void;
}

export async function openObserver(configFile: string, signal: AbortSignal): Promise<Observer> {
  const loaded = await loadConfig(configFile);
  const { config } = loaded;
  const paths = agentPaths(config, configFile);
  if (process.platform !== 'win32') await expectOwnFolder(paths.state);
  await expectOwnState(stateClaim(config, paths), signal);
  // before the first reconcile there is nothing to look at, and looking makes nothing
  const database = openExisting(paths.database);
  const documents = createStateDocuments(database);
  const runs = createRunStore(database);
  const ofTenant = tenantDocuments(documents, config.tenant);
  const records = createAgentRecords(ofTenant);
  const settings = effectiveSettings(config, loaded.written, records.policy(), paths, { deepCheck: false });
  const files = createRunFiles(paths.runs, () => settings.runs.maxOutput);
  const history = openEventHistory(paths.state);
  const layout = storeLayout(paths.cache, config.tenant, paths.state);
  const measure = createDiskUsage(layout, createSystemClock());
  // before the first reconcile there is no folder to ask
  const diskUsage = async () =>
    existsSync(layout.tenant) ? measure() : { used: 0, free: await freeAround(paths.cache) };

  async function* followOutput(
    runId: string,
    { follow, from = {} }: { readonly follow: boolean; readonly from?: OutputFrom },
    signal: AbortSignal,
  ): AsyncGenerator<OutputChunk> {
    const first = from.attempt ?? 1;
    const streams = from.stream === undefined ? (['stdout', 'stderr'] as const) : [from.stream];
    const offsets = new Map(streams.map((stream) => [`${first}/${stream}`, from.offset ?? 0]));
    for (;;) {
      const run = runs.get(runId);
      if (run === null) return;
      let got = false;
      for (let attempt = first; attempt <= run.attempt; attempt += 1) {
        for (const stream of streams) {
          const key = `${attempt}/${stream}`;
          for (;;) {
            const offset = offsets.get(key) ?? 0;
            const data = await files.chunk(runId, attempt, stream, offset);
            if (data.length === 0) break;
            got = true;
            offsets.set(key, offset + data.length);
            yield { attempt, stream, offset, data };
          }
        }
      }
      // one more look after the end: what was printed last is there then
      const over = run.state !== 'queued' && run.state !== 'running';
      if (!follow || (over && !got) || signal.aborted) return;
      await sleep(FOLLOW_EVERY_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  return {
    async status(signal) {
      if ((await controlPeer(paths.socket, signal)) !== null)
        return createControlClient(paths.socket).status({}, signal);
      return statusDocument({
        config,
        configDigest: loaded.digest,
        configError: null,
        records,
        current: await readCurrent(join(paths.cache, config.tenant, 'current.json')),
        runs,
        queue: createReportQueue(database),
        live: null,
        // whoever keeps services and the tunnel would have answered above
        tunnel: { state: config.tunnel.kind === 'none' ? 'none' : 'disconnected', since: null },
        services: () => null,
        disk: await diskUsage(),
        // Whether a folder is what it says is known to the daemon.
        versions: null,
        clockOffsetMs: null,
        isolation: isolationLevel(
          settings.runs,
          await isSandboxed(createFlowSandbox(process.env), settings.runs),
        ),
        identity: {
          state: config.agent_id === undefined ? 'not_enrolled' : 'enrolled',
          since: null,
          message: null,
        },
        now: new Date(),
      });
    },
    async obstacles(signal) {
      if ((await controlPeer(paths.socket, signal)) !== null)
        return createControlClient(paths.socket).obstacles({}, signal);
      return obstaclesOf(records, null);
    },
    peer: (signal) => controlPeer(paths.socket, signal),
    events: (last) => history.tail(last),
    followEvents: (from, signal) => history.follow(from, signal),
    reports: (filter) => createReportQueue(database).overview(filter).map(toWaitingReport),
    runs: (flow, limit) => runs.list({ limit, ...(flow === null ? {} : { flow }) }).map(toSummary),
    run: (runId) => runs.get(runId),
    timeline(runId) {
      const run = runs.get(runId);
      return run === null ? null : runTimeline(run, history.all());
    },
    async output(runId, attempt) {
      const { stdout, stderr } = await files.output(runId, Math.max(1, attempt));
      const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
      return { stdout: text(stdout), stderr: text(stderr) };
    },
    followOutput,
    serviceOutput(flow, { follow, stream }, signal) {
      const processes = createServiceRecords(ofTenant);
      const latest = () => processes.latest(flow);
      if (latest() === null) return null;
      const streams = stream === undefined ? (['stdout', 'stderr'] as const) : [stream];
      return followServiceOutput(join(paths.runs, `service-${flow}`), latest, { follow, streams }, signal);
    },
    close: () => database.close(),
  };
}

function openExisting(path: string): Database {
  try {
    return openDatabase(existsSync(path) ? path : IN_MEMORY);
  } catch (error) {
    throw toOperationError(error);
  }
}

async function readCurrent(path: string): Promise<Current> {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw error;
  });
  if (text === null) return EMPTY_CURRENT;
  try {
    return Current.parse(JSON.parse(text));
  } catch (cause) {
    const message = `${path}: expected the agent's pointer file, found something else; restore it from a backup, or remove it and reconcile`;
    throw new OperationError('state_unusable', message, { exitCode: 4, cause });
  }
}

/** Free bytes where the folder is, or will be. */
async function freeAround(path: string): Promise<number> {
  const stats = await statfs(path).catch(() => null);
  if (stats !== null) return stats.bavail * stats.bsize;
  return dirname(path) === path ? 0 : freeAround(dirname(path));
}
