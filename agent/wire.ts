import { chmod, mkdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isolationLevel } from '../executors/isolation.ts';
import { endOrphans } from '../executors/orphans.ts';
import { type CommandInboxControl, createCommandInbox } from '../reconciler/command-inbox.ts';
import type { ReconcileDeps } from '../reconciler/context.ts';
import { createDispatcher, type Dispatcher } from '../reconciler/dispatcher.ts';
import type { ProgressSink, ReportSink, ServiceKeeper } from '../reconciler/ports.ts';
import { type ReconcileOptions, type ReconcileResult, reconcile } from '../reconciler/reconcile.ts';
import { type AgentRecords, createAgentRecords } from '../reconciler/records.ts';
import { createServiceRecords } from '../reconciler/service-records.ts';
import { createServiceKeeper, desiredServices } from '../reconciler/services.ts';
import type { AgentConfig } from '../schemas/agent-config.ts';
import type { AgentPolicy } from '../schemas/agent-policy.ts';
import type { Status } from '../schemas/status.ts';
import { openEventLog } from '../sinks/event-log.ts';
import { createOutbox, type Outbox } from '../sinks/outbox.ts';
import { createSaasClient } from '../sinks/saas-client.ts';
import { createTunnelFeed } from '../sinks/tunnel-feed.ts';
import { createUploadCall } from '../sinks/upload-call.ts';
import { createSchedules, type Schedules } from '../sources/schedule.ts';
import { scheduledRunId } from '../sources/schedule-run-id.ts';
import { createVersionStore } from '../store/cache.ts';
import { createCommandStore } from '../store/command-store.ts';
import { openDatabase } from '../store/database.ts';
import { createStateDocuments } from '../store/documents.ts';
import { createReportQueue } from '../store/report-queue.ts';
import { createRunStore } from '../store/run-store.ts';
import { stateSince } from '../store/state-since.ts';
import { createSystemChance, createSystemClock } from '../system/clock.ts';
import type { Log } from '../system/log.ts';
import { scrubText } from '../system/redaction.ts';
import { createCredentialsTrustFile } from '../trust/trust-state-file.ts';
import { createChildSpawner, type Executable } from './child-process.ts';
import { createCommandActions } from './command-actions.ts';
import { type ConfiguredTunnel, createConfiguredTunnel } from './configured-tunnel.ts';
import { createCredentials } from './credentials.ts';
import { createDeviceIdentity } from './device-identity.ts';
import { createDocumentParser } from './document-parser.ts';
import { type EffectiveSettings, effectiveSettings } from './effective-settings.ts';
import { createExclusive } from './exclusive.ts';
import { createExecutors } from './executors.ts';
import { explainError } from './explain-error.ts';
import { followPointer } from './follow-pointer.ts';
import { createHousekeeping } from './housekeeping.ts';
import { createLiveStatus } from './live-status.ts';
import type { LoadedConfig } from './load-config.ts';
import { createLocalOperations } from './local-operations.ts';
import type { AgentOperations } from './operations.ts';
import type { AgentPaths } from './paths.ts';
import { createReleaseCheck, pinnedRootVersion } from './release-check.ts';
import { createRunFiles, createRunOutputReader } from './run-files.ts';
import { scheduledFlows } from './scheduled-flows.ts';
import { createSources } from './sources.ts';
import { statusDocument } from './status-document.ts';
import { tenantDocuments } from './tenant-documents.ts';
import { createTrustMemory } from './trust-memory.ts';
import { createTunnel, tunnelKey } from './tunnel.ts';
import { createUploads } from './uploads.ts';
import { AGENT_VERSION } from './version.ts';

export interface WireOptions {
  readonly loaded: LoadedConfig;
  readonly paths: AgentPaths;
  readonly executable: Executable;
  readonly log: Log;
  /** True for `edge-agent run`: queued runs are taken up again, reconciles go through a loop. */
  readonly daemon: boolean;
  readonly progress?: ProgressSink;
}

/** The agent's parts, put together. Whoever calls this holds the state lock. */
export interface WiredAgent {
  readonly operations: AgentOperations;
  readonly dispatcher: Dispatcher;
  readonly outbox: Outbox;
  readonly records: AgentRecords;
  readonly deps: () => ReconcileDeps;
  readonly settings: () => EffectiveSettings;
  /** One reconcile at a time, and never beside a garbage collection. */
  readonly reconcile: (options: Omit<ReconcileOptions, 'intervalMs'>) => Promise<ReconcileResult>;
  readonly housekeeping: ReturnType<typeof createHousekeeping>;
  /** Signed commands; the daemon starts carrying them out. */
  readonly inbox: CommandInboxControl;
  readonly schedules: Schedules;
  readonly tunnel: ConfiguredTunnel;
  readonly services: ServiceKeeper;
  /** Services as the active versions want them; also at the end of every reconcile. */
  readonly applyServices: () => void;
  /** How the operations reach a loop; set by the daemon before it serves. */
  readonly attachLoop: (loop: {
    reconcileNow: (options: { explicit: boolean; force: boolean }) => Promise<ReconcileResult>;
    nudge: () => void;
  }) => void;
  /** Puts a new agent.yaml in force; false when it needs the agent to start anew (other tenant, other folders). */
  readonly reconfigure: (loaded: LoadedConfig, paths: AgentPaths) => boolean;
  readonly configFailed: (text: string) => void;
  /** Hash the active versions in the next reconcile. */
  readonly requestDeepCheck: () => void;
  readonly status: () => Promise<Status>;
  close(): Promise<void>;
}

/** The one composition root (design.md): here, and nowhere else, the objects are built. */
export async function wireAgent(options: WireOptions): Promise<WiredAgent> {
  const { log, executable } = options;
  let { loaded, paths } = options;
  let configError: string | null = null;
  let policy: AgentPolicy | null = null;
  let deepDue = !options.daemon;
  let deepCheck = deepDue;
  let saasOffsetMs: number | null = null;
  let otherOffsetMs: number | null = null;
  let disk = { used: 0, free: 0 };
  const config = (): AgentConfig => loaded.config;

  await openStateFolder(paths, config());
  const releases = createReleaseCheck();
  releases.verifier(config(), paths);
  const clock = createSystemClock();
  const chance = createSystemChance();
  const bootId = chance.uuidv7();
  const database = openDatabase(paths.database);
  const documents = createStateDocuments(database);
  const began = stateSince(documents, clock.now());
  const commands = createCommandStore(database);
  const runs = createRunStore(database);
  const queue = createReportQueue(database);
  const ofTenant = tenantDocuments(documents, config().tenant);
  const records = createAgentRecords(ofTenant);
  policy = records.policy();
  const spawnChild = createChildSpawner(executable);
  const settings = () => effectiveSettings(config(), loaded.written, policy, paths, { deepCheck });

  const events = openEventLog({
    directory: paths.state,
    tenant: config().tenant,
    agentId: () => config().agent_id ?? null,
    documents,
    clock,
    chance,
    log,
    scrub: scrubText,
    maxBytes: config().log.max_size,
    maxFiles: config().log.max_files,
    keepFrom: () => (config().saas_url === undefined ? Number.POSITIVE_INFINITY : outbox.eventsTakenBefore()),
    onAppend: () => outbox.eventsWritten(),
  });
  const store = createVersionStore({
    cacheDirectory: paths.cache,
    slug: config().tenant,
    stateDirectory: paths.state,
    documents: ofTenant,
    spawnChild: (_verb, rights) => spawnChild('internal-unpack', rights),
    clock,
  });

  const credentials = createCredentials(paths.credentials);
  const identity = createDeviceIdentity(
    paths.credentials,
    () => config().agent_id ?? null,
    clock,
    () => saasOffsetMs ?? 0,
  );
  const live = createLiveStatus(() => clock.now(), options.progress);
  const statusNow = (): Status =>
    statusDocument({
      config: config(),
      configDigest: loaded.digest,
      configError,
      records,
      current: store.current(),
      runs,
      queue,
      live,
      tunnel: tunnel.state(),
      services: (flow) => services.status(flow),
      disk,
      clockOffsetMs: saasOffsetMs ?? otherOffsetMs,
      isolation: isolationLevel(settings().runs),
      now: clock.now(),
    });

  const makeSources = () =>
    createSources({
      config: config(),
      paths,
      credentials,
      identity,
      clock,
      spawnChild,
      keepDays: () => settings().retention.keep_days,
      rootVersion: () => records.trustSeen().root_version ?? pinnedRootVersion(paths),
      onWarning: (message) => log.warn(message),
      onSaasClock: (ms) => {
        saasOffsetMs = ms;
      },
      onOtherClock: (ms) => {
        otherOffsetMs = ms;
      },
    });
  let sources = makeSources();
  const authorize = async (method: string, url: URL) => {
    const header = await identity.authorize(method, url);
    if (header === null)
      throw new Error(`expected ${paths.credentials}/device.jwk, found none; enrol this agent again`);
    return header;
  };
  const uploads = createUploads({
    settings: () => ({ config: config(), paths }),
    queue,
    events,
    clock,
    log,
    queued: (asked) => outbox.uploadsQueued(asked),
  });
  const outbox: Outbox = createOutbox({
    queue,
    history: events,
    events,
    documents,
    statusProvider: statusNow,
    clock,
    chance,
    log,
    post: () => {
      const { saas_url: saasUrl, agent_id: agentId } = config();
      if (saasUrl === undefined || agentId === undefined) return null;
      return createSaasClient({ client: sources.saas, saasUrl, authorize, clock }).post;
    },
    uploads: {
      consent: uploads.consent,
      target: () => {
        const { saas_url: saasUrl, agent_id: agentId } = config();
        if (saasUrl === undefined || agentId === undefined) return null;
        return { call: createUploadCall({ client: sources.saas, authorize, clock }), saasUrl };
      },
    },
  });

  const recovered = await store.recover(clock.now());
  const followed = await followPointer(records, store, clock.now());
  if (recovered.databaseFollowed || recovered.damaged.length > 0 || followed.length > 0) {
    const flows = [...new Set([...recovered.damaged, ...followed])].join(', ');
    const message = `the agent had ended in the middle of its work; state follows current.json again (${flows || 'no flow'})`;
    events.emit({ severity: 'warning', reason: 'StateRecovered', message });
  }

  const trustMemory = createTrustMemory(
    documents,
    createCredentialsTrustFile(paths.credentials),
    () => store.current().seq,
  );
  const { executors, launcher, environments } = createExecutors(clock, events, paths.state);
  await environments.recover();
  const runFiles = createRunFiles(paths.runs, () => settings().runs.maxOutput);
  const secrets = () => credentials.secrets();
  const feed = createTunnelFeed({
    output: createRunOutputReader(runFiles),
    clock,
    chance,
    onFault: (error) => log.error('what a run printed could not be sent through the tunnel', { error }),
  });
  /** Whoever changes the status tells both ways out: the outbox, and the tunnel while there is one. */
  const reports: ReportSink = {
    run: (report) => outbox.run(report),
    statusChanged() {
      outbox.statusChanged();
      feed.statusChanged(statusNow);
    },
  };
  const exclusive = createExclusive();
  let loop: Parameters<WiredAgent['attachLoop']>[0] | null = null;
  const dispatcher = createDispatcher({
    runs,
    store,
    records,
    executors,
    reports,
    listener: feed,
    events,
    clock,
    chance,
    tenant: config().tenant,
    settings: () => settings().runs,
    secrets,
    runDirectory: runFiles.directory,
    endOrphans,
    rollBack: {
      isOn: () => settings().rollbackOn === 'runs',
      store,
      exclusive,
      onDone: () => loop?.nudge(),
    },
    salvage: runFiles.output,
    onFault: (error) =>
      log.error('the end of a run could not be written; it will be reported as lost', { error }),
  });
  await dispatcher.recover({ resume: options.daemon });
  await uploads.tidy();
  const services = createServiceKeeper({
    keeps: options.daemon,
    launcher,
    processes: createServiceRecords(ofTenant),
    events,
    clock,
    chance,
    tenant: config().tenant,
    settings: () => settings().runs,
    secrets,
    runDirectory: runFiles.directory,
    endOrphans,
    onChange(flow, well) {
      const state = records.flow(flow);
      const health = well ? 'healthy' : 'unhealthy';
      // one that is starting is neither yet, and `unknown` is a check that the reconcile still owes
      const settled = services.status(flow)?.state !== 'starting';
      if (settled && state !== null && state.health !== 'unknown' && state.health !== health) {
        records.saveFlow(flow, { ...state, health });
        loop?.nudge();
      }
      reports.statusChanged();
    },
    onFault: (error) => log.error('a service could not be looked after; it is tried again', { error }),
  });
  await services.recover();
  const applyServices = () => services.apply(desiredServices(store.current(), records, store));

  feed.statusChanged(statusNow);

  const deps = (): ReconcileDeps => ({
    source: sources.source,
    branchCheck: sources.branchCheck,
    verifier: releases.verifier(config(), paths),
    trustMemory,
    bundles: sources.bundles,
    store,
    documents,
    records,
    runs,
    executors,
    services,
    events,
    reports,
    progress: live,
    clock,
    chance,
    parser: createDocumentParser(),
    secrets,
    runDirectory: runFiles.directory,
    settings,
    explain: explainError,
    onPolicy: (believed) => {
      policy = believed;
      dispatcher.settingsChanged();
    },
  });

  const reconcileOnce = (given: Omit<ReconcileOptions, 'intervalMs'>) =>
    exclusive(async () => {
      const { intervalMs } = settings();
      deepCheck = deepDue;
      deepDue = !options.daemon;
      try {
        return await reconcile(deps(), { ...given, intervalMs });
      } finally {
        live.clear();
        if (given.dryRun !== true) {
          applyServices();
          disk = await store.disk();
        }
      }
    });
  const housekeeping = createHousekeeping({
    deps,
    runFiles,
    records,
    runs,
    clock,
    exclusive,
    uploads,
    verifyEvents: () => events.verify(),
  });
  const status = async () => {
    disk = await store.disk();
    return statusNow();
  };
  const local = createLocalOperations({
    records,
    store,
    runs,
    retryReports: () => outbox.retryParked(),
    uploads,
    // without a daemon nobody else drives the lane: the file is sent while the command waits
    sendUploads: options.daemon ? null : () => outbox.sendUploads(),
    events,
    reports,
    dispatcher,
    now: () => clock.now(),
    status,
    reconcile(asked, signal) {
      // a person who asks is told of drift too, as by a command without a daemon
      deepDue = true;
      return loop?.reconcileNow(asked) ?? reconcileOnce({ ...asked, signal });
    },
    dryRun: (signal) => reconcileOnce({ dryRun: true, signal }),
    nudge: () => loop?.nudge(),
    collectGarbage: housekeeping.collectGarbage,
    verifyAll: housekeeping.verifyAll,
  });
  const operations: AgentOperations = {
    ...local,
    async rollback(input, signal) {
      const answer = await local.rollback(input, signal);
      applyServices();
      return answer;
    },
    async retry(input, signal) {
      await services.retry(input.flow);
      return local.retry(input, signal);
    },
  };

  const schedules = createSchedules({
    clock,
    events,
    documents: ofTenant,
    flows: () => scheduledFlows(records, store),
    timezone: () => settings().timezone,
    trigger({ flow, at, because }) {
      const { tenant, agent_id: agentId } = config();
      const runId = scheduledRunId(`${tenant}/${agentId ?? ''}`, flow, at);
      const submitted = dispatcher.submit({ flow, runId, input: {}, trigger: 'schedule', because });
      return submitted.kind === 'not_runnable' ? submitted.message : null;
    },
    onFault: (error) =>
      log.error('scheduled runs could not be queued; they are looked at again in a minute', { error }),
  });
  const inbox = createCommandInbox({
    verifier: () => releases.commandVerifier(config(), paths),
    trustMemory: () => trustMemory.load(),
    store: commands,
    actions: createCommandActions({ dispatcher, operations }),
    transaction: documents.transaction,
    agentId: () => config().agent_id ?? null,
    stateSince: began,
    events,
    clock,
    onFault: (error) => log.error('a command could not be carried out', { error }),
  });
  const tunnel = createConfiguredTunnel(
    () => tunnelKey(config(), paths),
    () =>
      createTunnel({
        config: config(),
        paths,
        inbox,
        feed,
        hello: () => ({
          agent_id: config().agent_id ?? '',
          agent_version: AGENT_VERSION,
          boot_id: bootId,
          log_id: events.logId,
          next_seq: events.nextSeq(),
          active_revision: store.current().revision,
        }),
        authorize,
        route: (url) => sources.saas.upgradeRoute(url),
        onNudge: () => loop?.nudge(),
        onState: () => outbox.statusTouched(),
        onOpen: () => outbox.hurry(),
        events,
        log,
        clock,
        chance,
      }),
  );

  const configFailed = (text: string) => {
    configError = text;
    const because = 'the last good configuration stays in force';
    events.emit({ severity: 'error', reason: 'ConfigRejected', message: text, because });
    reports.statusChanged();
  };

  return {
    operations,
    dispatcher,
    outbox,
    records,
    deps,
    settings,
    reconcile: reconcileOnce,
    housekeeping,
    inbox,
    schedules,
    tunnel,
    services,
    applyServices,
    attachLoop: (attached) => {
      loop = attached;
    },
    reconfigure(next, nextPaths) {
      const stays =
        next.config.tenant === config().tenant &&
        next.config.agent_id === config().agent_id &&
        nextPaths.state === paths.state &&
        nextPaths.credentials === paths.credentials;
      if (!stays) return false;
      try {
        releases.verifier(next.config, nextPaths);
      } catch (error) {
        configFailed(error instanceof Error ? error.message : String(error));
        return true;
      }
      loaded = next;
      paths = nextPaths;
      configError = null;
      dispatcher.settingsChanged();
      sources.close();
      sources = makeSources();
      forgetFailures(records);
      tunnel.renew();
      applyServices();
      const message = `${paths.config} is in force (SHA-256 ${next.digest.slice(0, 12)})`;
      events.emit({ severity: 'info', reason: 'ConfigApplied', message });
      outbox.hurry();
      reports.statusChanged();
      return true;
    },
    configFailed,
    requestDeepCheck: () => {
      deepDue = true;
    },
    status,
    async close() {
      await outbox.stopUploads();
      await inbox.close();
      await Promise.all([dispatcher.drain(), services.close()]);
      sources.close();
      await store.close();
      events.close();
      records.flush();
      database.close();
    },
  };
}

/** Closed to others; with `runs.user`, that account may pass through to the folders of its runs, and list nothing. */
async function openStateFolder(paths: AgentPaths, config: AgentConfig): Promise<void> {
  const shared = config.runs.user !== undefined;
  const mode = shared ? 0o711 : 0o700;
  for (const folder of [paths.state, paths.runs]) {
    await mkdir(folder, { recursive: true, mode });
    await chmod(folder, mode);
  }
  for (const folder of shared ? [paths.cache, join(paths.cache, config.tenant)] : []) {
    await mkdir(folder, { recursive: true, mode });
    await chmod(folder, ((await stat(folder)).mode & 0o7777) | 0o011);
  }
}

/** What failed under another configuration is tried again at once. */
function forgetFailures(records: AgentRecords): void {
  records.transaction(() => {
    for (const [id, state] of records.flows()) {
      if (state.setback === null) continue;
      records.saveFlow(id, { ...state, setback: null, failures: 0, next_attempt_at: null });
    }
  });
}
