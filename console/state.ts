import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { createSystemChance } from '../system/clock.ts';
import { createTriggerKeys, type TriggerKeys } from './actions/trigger-keys.ts';
import { type CommandQueue, createCommandQueue } from './commands.ts';
import { createDeviceKeys, type DeviceKeys } from './device-keys.ts';
import { createEnrolment, type Enrolment } from './enrolment.ts';
import { createEventHistory, type EventHistory } from './event-history.ts';
import { createGitRepositories, type GitRepositories } from './git-repositories.ts';
import { createIdentityWatch, type IdentityWatch } from './identity-watch.ts';
import { type ConsoleLimits, DEFAULT_LIMITS } from './limits.ts';
import { type ApiKeys, createApiKeys } from './people/api-keys.ts';
import { createPeople, type People } from './people/people.ts';
import { createSessions, type Sessions } from './people/sessions.ts';
import { createReplayGuard, type ReplayGuard } from './replay-guard.ts';
import { createReportStore, type ReportStore } from './reports.ts';
import { createRunLogStore, type RunLogStore } from './run-logs.ts';
import { type ConsoleSecrets, loadSecrets } from './secrets.ts';
import type { AgentStore } from './store/ports/agents.ts';
import type { AuditStore } from './store/ports/audit.ts';
import type { EventSearch } from './store/ports/event-search.ts';
import type { ChangeStore, FleetNotes, FleetStore } from './store/ports/fleet.ts';
import type { FlowPlaces } from './store/ports/flow-places.ts';
import type { PeopleStore } from './store/ports/people.ts';
import type { ReleaseStore } from './store/ports/releases.ts';
import type { RepeatableRequestStore } from './store/ports/repeatable-requests.ts';
import type { RunFacts } from './store/ports/run-facts.ts';
import type { RunIndex } from './store/ports/run-index.ts';
import type { RunProgressStore } from './store/ports/run-progress.ts';
import type { TokenRecords } from './store/ports/token-records.ts';
import { createAgentStore } from './store/sqlite/agents.ts';
import { createApiKeyStore } from './store/sqlite/api-keys.ts';
import { createAuditStore } from './store/sqlite/audit.ts';
import { createCommandRows } from './store/sqlite/commands.ts';
import { type ConsoleDatabase, openDatabase } from './store/sqlite/database.ts';
import { createDeviceKeyRows } from './store/sqlite/device-keys.ts';
import { createEnrolmentRows } from './store/sqlite/enrolments.ts';
import { createEventRows } from './store/sqlite/event-rows.ts';
import { createEventSearch } from './store/sqlite/event-search.ts';
import { createChangeStore } from './store/sqlite/fleet/changes.ts';
import { createFleetNotes } from './store/sqlite/fleet/fleet-notes.ts';
import { createFleetStore } from './store/sqlite/fleet/fleet-store.ts';
import { createReleaseStore } from './store/sqlite/fleet/releases.ts';
import { createSummaryWriter } from './store/sqlite/fleet/summary-writer.ts';
import { createFlowPlaces } from './store/sqlite/flow-places.ts';
import { createIdentityRows } from './store/sqlite/identities.ts';
import { createLogRows } from './store/sqlite/log-rows.ts';
import { createPeopleStore } from './store/sqlite/people.ts';
import { createRepeatableRequestStore } from './store/sqlite/repeatable-requests.ts';
import { createReportRows } from './store/sqlite/reports.ts';
import { createRequestIds } from './store/sqlite/request-ids.ts';
import { createRunFacts } from './store/sqlite/run-facts.ts';
import { createRunIndex } from './store/sqlite/run-index.ts';
import { createRunProgressStore } from './store/sqlite/run-progress.ts';
import { createSessionStore } from './store/sqlite/sessions.ts';
import { createTenantHookRows } from './store/sqlite/tenant-hooks.ts';
import { createTenantRows } from './store/sqlite/tenants.ts';
import { createTokenRecords } from './store/sqlite/token-records.ts';
import { createTriggerKeyStore } from './store/sqlite/trigger-keys.ts';
import { createUploadRows } from './store/sqlite/uploads.ts';
import { createTenantHooks, type TenantHooks } from './tenant-hooks.ts';
import { createTenantStore, type TenantStore } from './tenants.ts';
import { triggerKeyFault } from './trigger-authority.ts';
import { createUploadStore, type UploadStore } from './uploads.ts';

/** The part of a clock the console needs; `system/clock.ts` has more of it. */
export interface ConsoleClock {
  now(): Date;
  monotonicMs(): number;
}

/** Everything the console keeps, all of it under one data directory. The server and the admin verbs share it. */
export interface ConsoleState {
  readonly database: ConsoleDatabase;
  readonly secrets: ConsoleSecrets;
  readonly tenants: TenantStore;
  readonly agents: AgentStore;
  readonly apiKeys: ApiKeys;
  readonly people: People;
  readonly peopleStore: PeopleStore;
  readonly sessions: Sessions;
  readonly enrolment: Enrolment;
  readonly deviceKeys: DeviceKeys;
  readonly identities: IdentityWatch;
  readonly tokens: TokenRecords;
  readonly audit: AuditStore;
  readonly reports: ReportStore;
  /** What lists and counts of agents, flows and releases are made of. */
  readonly fleet: {
    readonly agents: FleetStore;
    readonly changes: ChangeStore;
    readonly releases: ReleaseStore;
    readonly notes: FleetNotes;
  };
  readonly events: EventHistory;
  readonly eventSearch: EventSearch;
  readonly replays: ReplayGuard;
  readonly commands: CommandQueue;
  readonly progress: RunProgressStore;
  readonly logs: RunLogStore;
  readonly hooks: TenantHooks;
  readonly triggerKeys: TriggerKeys;
  readonly runs: RunIndex;
  readonly runFacts: RunFacts;
  readonly flowPlaces: FlowPlaces;
  readonly repeatable: RepeatableRequestStore;
  readonly repositories: GitRepositories;
  readonly uploads: UploadStore;
  /** Folder of the tenants' artifact folders. */
  readonly artifacts: string;
  readonly clock: ConsoleClock;
  readonly newId: () => string;
  /** Origin that agents and people call; noted by the server when it listens, so that the admin verbs know it too. */
  publicUrl(): string;
  setPublicUrl(url: string): Promise<void>;
  /** Whether another process (a verb of the command line) has written since this was asked last. */
  changedElsewhere(): Promise<boolean>;
  /** Brings every table back within its bounds; how many rows went. */
  prune(limits: ConsoleLimits): Promise<number>;
  close(): void;
}

/** A request with an `Idempotency-Key` may come again for so long. */
const REPEATABLE_MS = 24 * 60 * 60_000;
const URL_BEFORE_FIRST_START = 'http://127.0.0.1:8080';

/** Makes the directory (0700) when it is not there. */
export function openState(
  dataDirectory: string,
  clock: ConsoleClock,
  limits: ConsoleLimits = DEFAULT_LIMITS,
): ConsoleState {
  mkdirSync(dataDirectory, { recursive: true, mode: 0o700 });
  const artifacts = join(dataDirectory, 'artifacts');
  mkdirSync(artifacts, { recursive: true, mode: 0o700 });
  const secrets = loadSecrets(join(dataDirectory, 'console.key'));
  const database = openDatabase(join(dataDirectory, 'console.db'));
  const { sql } = database;
  const chance = createSystemChance(() => clock.now().getTime());
  const now = () => clock.now();
  const newId = () => chance.uuidv7();

  const tenants = createTenantStore(createTenantRows(database), now);
  const agents = createAgentStore(database);
  const summaries = createSummaryWriter(database);
  summaries.rebuild();
  const reports = createReportStore(createReportRows(database, summaries));
  const events = createEventHistory(createEventRows(database));
  const replays = createReplayGuard(createRequestIds(database));
  const uploads = createUploadStore(createUploadRows(database), join(dataDirectory, 'uploads'));
  const commands = createCommandQueue(createCommandRows(database));
  const progress = createRunProgressStore(database);
  const hooks = createTenantHooks(createTenantHookRows(database), secrets, now);
  const repositories = createGitRepositories(join(dataDirectory, 'git'));
  const runs = createRunIndex(database);
  const repeatable = createRepeatableRequestStore(database);
  const triggerKeys = createTriggerKeys({
    store: createTriggerKeyStore(database),
    sealingKey: secrets.sealingKey,
    now,
    fault: async (tenant, kid) => triggerKeyFault({ repositories, tenants }, tenant, kid, true),
  });
  const logs = createRunLogStore(createLogRows(database), join(dataDirectory, 'logs'));
  // A server goes by its own address, even when another one has started on the same directory since.
  let ownUrl: string | null = null;
  const publicUrl = () => {
    if (ownUrl !== null) return ownUrl;
    const row = sql.prepare("SELECT value FROM settings WHERE name = 'public_url'").get();
    return (row as { value: string } | undefined)?.value ?? URL_BEFORE_FIRST_START;
  };
  const audit = createAuditStore(database);
  const peopleStore = createPeopleStore(database);
  const isTenant = async (slug: string) => (await tenants.get(slug)) !== null;
  const people = createPeople({ store: peopleStore, isTenant, now, newId, publicUrl });
  const https = () => publicUrl().startsWith('https:');
  const sessions = createSessions({ store: createSessionStore(database), now, https, limits });
  const tokens = createTokenRecords(database, now);
  const deviceKeys = createDeviceKeys(createDeviceKeyRows(database));
  const identities = createIdentityWatch(createIdentityRows(database), now, () => limits.processOverlapMs);
  const enrolment = createEnrolment({ rows: createEnrolmentRows(database), secrets, newId, publicUrl });

  return {
    database,
    secrets,
    tenants,
    agents,
    people,
    peopleStore,
    sessions,
    apiKeys: createApiKeys(createApiKeyStore(database), { now, newId }),
    enrolment,
    deviceKeys,
    identities,
    tokens,
    audit,
    reports,
    fleet: {
      agents: createFleetStore(database),
      changes: createChangeStore(database),
      releases: createReleaseStore(database),
      notes: createFleetNotes(database, now),
    },
    events,
    eventSearch: createEventSearch(database),
    replays,
    commands,
    progress,
    logs,
    hooks,
    triggerKeys,
    runs,
    runFacts: createRunFacts(database),
    flowPlaces: createFlowPlaces(database),
    repeatable,
    repositories,
    uploads,
    artifacts,
    clock,
    newId,
    publicUrl,
    changedElsewhere: async () => database.changedElsewhere(),
    async setPublicUrl(url) {
      ownUrl = url;
      const put =
        "INSERT INTO settings (name, value) VALUES ('public_url', ?) ON CONFLICT DO UPDATE SET value = excluded.value";
      await database.write(() => void database.prepare(put).run(url));
    },
    prune: async (limits) =>
      (await replays.prune(now())) +
      (await enrolment.prune(now())) +
      (await tokens.prune(now())) +
      (await identities.prune()) +
      (await audit.prune(limits.keepAudit)) +
      (await sessions.prune()) +
      (await uploads.prune(now(), limits.uploadOpenDays)) +
      (await reports.prune(limits.keepRuns, limits.keepRunBytes)) +
      (await events.prune(limits.keepEvents, limits.keepEventLogs)) +
      (await commands.prune(limits.keepCommands)) +
      (await progress.prune(limits.keepRunProgress)) +
      (await runs.prune(limits.keepRuns)) +
      (await createChangeStore(database).prune(limits.keepChanges, now())) +
      (await createReleaseStore(database).prune(limits.keepReleases)) +
      (await repeatable.prune(new Date(now().getTime() - REPEATABLE_MS))) +
      (await logs.settle(limits)),
    close: () => database.close(),
  };
}
