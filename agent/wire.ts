import { type CommandInboxControl, createCommandInbox } from '../reconciler/command-inbox.ts';
import type { ReconcileDeps } from '../reconciler/context.ts';
import type { Dispatcher } from '../reconciler/dispatcher.ts';
import type { ProgressSink, ServiceKeeper, VersionRecord } from '../reconciler/ports.ts';
import { type ReconcileOptions, type ReconcileResult, reconcile } from '../reconciler/reconcile.ts';
import type { AgentRecords } from '../reconciler/records.ts';
import type { AgentConfig } from '../schemas/agent-config.ts';
import type { AgentPolicy } from '../schemas/agent-policy.ts';
import type { Status } from '../schemas/status.ts';
import type { Outbox } from '../sinks/outbox.ts';
import type { Schedules } from '../sources/schedule.ts';
import { createVersionStore } from '../store/cache.ts';
import { createSystemChance, createSystemClock } from '../system/clock.ts';
import type { Log } from '../system/log.ts';
import { createCommandTimeFile } from '../trust/command-time-file.ts';
import { createCredentialsTrustFile } from '../trust/trust-state-file.ts';
import { createChildSpawner, type Executable } from './child-process.ts';
import { createClockWatch } from './clock-watch.ts';
import { createCommandActions } from './command-actions.ts';
import { type ConfiguredTunnel, createConfiguredTunnel } from './configured-tunnel.ts';
import { createCredentials } from './credentials.ts';
import { settleDeviceKey } from './device-key-home.ts';
import { createDocumentParser } from './document-parser.ts';
import { type EffectiveSettings, effectiveSettings } from './effective-settings.ts';
import { createExclusive } from './exclusive.ts';
import { createExecution } from './execution.ts';
import { createExecutors } from './executors.ts';
import { explainError } from './explain-error.ts';
import { createFlowIsolation } from './flow-isolation.ts';
import { followPointer } from './follow-pointer.ts';
import { createHousekeeping } from './housekeeping.ts';
import { createIdentity, type Identity } from './identity.ts';
import { rotateKey } from './key-operation.ts';
import { createLiveStatus } from './live-status.ts';
import type { LoadedConfig } from './load-config.ts';
import { createLocalOperations } from './local-operations.ts';
import { OperationError } from './operation-error.ts';
import type { AgentOperations } from './operations.ts';
import type { AgentPaths } from './paths.ts';
import { createReleaseCheck, pinnedRootVersion } from './release-check.ts';
import { createReporting } from './reporting.ts';
import { createRunFiles } from './run-files.ts';
import { createSources } from './sources.ts';
import { openAgentState } from './state.ts';
import { statusDocument } from './status-document.ts';
import { createTrustMemory } from './trust-memory.ts';
import { createTunnel, tunnelKey } from './tunnel.ts';
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
  readonly identity: Identity;
  /** Services as the active versions want them; also at the end of every reconcile. */
  readonly applyServices: () => void;
  /** How the operations reach a loop; set by the daemon before it serves. */
  readonly attachLoop: (loop: {
    reconcileNow: (options: { explicit: boolean; force: boolean }) => Promise<ReconcileResult>;
    nudge: () => void;
  }) => void;
  /** How the operations end the daemon. */
  readonly attachStop: (stop: (why: string) => void) => void;
  /** Puts a new agent.yaml in force; false when it needs the agent to start anew (other tenant, other folders). */
  readonly reconfigure: (loaded: LoadedConfig, paths: AgentPaths) => boolean;
  readonly configFailed: (text: string) => void;
  /** Hash the active versions in the next reconcile. */
  readonly requestDeepCheck: () => void;
  readonly status: () => Promise<Status>;
  /** Reports that the console has not taken. */
  readonly waitingReports: () => number;
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
  let disk = { used: 0, free: 0 };
  let versions: readonly VersionRecord[] | null = null;
  const config = (): AgentConfig => loaded.config;

  const releases = createReleaseCheck();
  releases.verifier(config(), paths);
  const clock = createSystemClock();
  const chance = createSystemChance();
  const bootId = chance.uuidv7();
  const state = await openAgentState(paths, config(), clock);
  const { documents, ofTenant, records, runs, queue } = state;
  policy = records.policy();
  const spawnChild = createChildSpawner(executable);
  const settings = () => effectiveSettings(config(), loaded.written, policy, paths, { deepCheck });
  const isolation = await createFlowIsolation({
    config,
    paths: () => paths,
    runs: () => settings().runs,
    daemon: options.daemon,
    log,
  });

  const store = createVersionStore({
    cacheDirectory: paths.cache,
    slug: config().tenant,
    stateDirectory: paths.state,
    documents: ofTenant,
    spawnChild: (_verb, rights) => spawnChild('internal-unpack', rights),
    clock,
  });

  const clockWatch = createClockWatch(clock, () => events);
  await settleDeviceKey(paths.credentials, log);
  const credentials = createCredentials(paths.credentials);
  const identity = createIdentity({
    credentialsDir: paths.credentials,
    config,
    bootId,
    documents,
    saas: () => sources.saas,
    events: () => events,
    stateChanged: () => reports.statusChanged(),
    clockOffsetMs: () => clockWatch.consoleOffsetMs(),
    clock,
    log,
  });
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
      versions,
      clockOffsetMs: clockWatch.offset()?.offsetMs ?? null,
      isolation: isolation.level(),
      identity: identity.standing.state(),
      now: clock.now(),
    });

  const makeSources = () =>
    createSources({
      config: config(),
      paths,
      credentials,
      identity: identity.device,
      clock,
      spawnChild,
      keepDays: () => settings().retention.keep_days,
      rootVersion: () => records.trustSeen().root_version ?? pinnedRootVersion(paths),
      believed: () => records.conditions().some(({ type, status }) => type === 'Ready' && status === 'True'),
      onWarning: (message) => log.warn(message),
      clockWatch,
    });
  let sources = makeSources();
  const authorize = async (method: string, url: URL) => {
    const header = await identity.device.authorize(method, url);
    if (header === null)
      throw new Error(`expected ${paths.credentials}/device.jwk, found none; enrol this agent again`);
    return header;
  };
  const runFiles = createRunFiles(paths.runs, () => settings().runs.maxOutput);
  const { events, outbox, uploads, feed, reports } = createReporting({
    state,
    config,
    paths: () => paths,
    runFiles,
    saas: () => sources.saas,
    authorize,
    standing: identity.standing,
    status: statusNow,
    daemon: options.daemon,
    clock,
    chance,
    log,
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
  const secrets = () => credentials.secrets();
  const exclusive = createExclusive();
  let stop: ((why: string) => void) | null = null;
  let loop: Parameters<WiredAgent['attachLoop']>[0] | null = null;
  const executors = createExecutors(clock, events, paths.state, isolation.sandbox);
  const { dispatcher, services, schedules, applyServices, recover } = createExecution({
    state,
    store,
    executors,
    runFiles,
    reports,
    listener: feed,
    events,
    secrets,
    settings,
    identity: () => `${config().tenant}/${config().agent_id ?? ''}`,
    tenant: config().tenant,
    daemon: options.daemon,
    exclusive,
    nudge: () => loop?.nudge(),
    clock,
    chance,
    log,
  });
  await recover();
  await uploads.tidy();

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
    executors: executors.executors,
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

  /** A disk that was full for a moment may have taken the pointer and not the database. */
  const follow = async () => {
    const flows = await followPointer(records, store, clock.now());
    if (flows.length === 0) return;
    const message = `state follows current.json again (${flows.join(', ')}): the database could not be written when it changed`;
    events.emit({ severity: 'warning', reason: 'StateRecovered', message });
  };
  const reconcileOnce = (given: Omit<ReconcileOptions, 'intervalMs'>) =>
    exclusive(async () => {
      const { intervalMs } = settings();
      if (given.dryRun !== true) await follow();
      deepCheck = deepDue;
      deepDue = !options.daemon;
      try {
        return await reconcile(deps(), { ...given, intervalMs });
      } finally {
        live.clear();
        if (given.dryRun !== true) {
          applyServices();
          disk = await store.disk();
          versions = await store.versions();
        }
      }
    });
  const housekeeping = createHousekeeping({
    deps,
    runFiles,
    records,
    runs,
    executors,
    clock,
    exclusive,
    uploads,
    verifyEvents: () => events.verify(),
  });
  const status = async () => {
    await isolation.look();
    disk = await store.disk();
    versions = await store.versions();
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
    tunnelMessage: () => tunnel.state().message,
    reconcile(asked, signal) {
      // a person who asks is told of drift too, as by a command without a daemon
      deepDue = true;
      return loop?.reconcileNow(asked) ?? reconcileOnce({ ...asked, signal });
    },
    dryRun: (signal) => reconcileOnce({ dryRun: true, signal }),
    nudge: () => loop?.nudge(),
    collectGarbage: housekeeping.collectGarbage,
    verifyAll: housekeeping.verifyAll,
    exclusive,
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
    rotatekey: async (_input, signal) => rotateKey(identity.keys, signal),
    async stop({ why }) {
      if (stop === null) {
        const message = `expected a daemon, found process ${process.pid}, which ends by itself; wait for it`;
        throw new OperationError('locked', message, { exitCode: 5 });
      }
      stop(why);
      return { pid: process.pid };
    },
  };

  const inbox = createCommandInbox({
    verifier: () => releases.commandVerifier(config(), paths),
    trustMemory: () => trustMemory.load(),
    store: state.commands,
    actions: createCommandActions({
      dispatcher,
      operations,
      active: (flow) => store.current().flows[flow] ?? null,
    }),
    transaction: documents.transaction,
    tenant: config().tenant,
    agentId: () => config().agent_id ?? null,
    stateSince: state.since,
    clockOffsetMs: () => clockWatch.consoleOffsetMs(),
    noteAhead: (issued) => createCommandTimeFile(paths.credentials).raise(issued),
    events,
    clock,
    onFault: (error) => log.error('a command could not be carried out', { error }),
  });
  const tunnel = createConfiguredTunnel({
    key: () => tunnelKey(config(), paths),
    build: () =>
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
        onIdentityConflict: (told) => identity.standing.conflict(told),
        onOpen() {
          outbox.hurry();
          // a nudge may have been lost meanwhile, and the branch can be reached again
          loop?.nudge();
        },
        events,
        log,
        clock,
        chance,
      }),
    clock,
    onFault: (error) => log.error('the tunnel ended by an error; it is built anew in a minute', { error }),
  });

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
    identity,
    applyServices,
    attachLoop: (attached) => {
      loop = attached;
    },
    attachStop: (attached) => {
      stop = attached;
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
      void isolation.look().then(
        () => reports.statusChanged(),
        (error: unknown) => log.error('could not find out how flows are kept apart', { error }),
      );
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
    waitingReports: () => queue.totals().pending + queue.totals().parked,
    async close() {
      await outbox.stopUploads();
      await inbox.close();
      await Promise.all([dispatcher.drain(), services.close()]);
      sources.close();
      await store.close();
      events.close();
      state.close();
    },
  };
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
