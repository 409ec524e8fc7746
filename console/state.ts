import { existsSync, mkdirSync } from 'node:fs';
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
import { openStore } from './store/open-store.ts';
import type { AgentStore } from './store/ports/agents.ts';
import type { AuditStore } from './store/ports/audit.ts';
import type { ConsoleStore } from './store/ports/console-store.ts';
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
import { createTenantHooks, type TenantHooks } from './tenant-hooks.ts';
import { createTenantStore, type TenantStore } from './tenants.ts';
import { triggerKeyFault } from './trigger-authority.ts';
import { createUploadStore, type UploadStore } from './uploads.ts';
import { expectDatabaseOfTenants } from './whole-data.ts';

/** The part of a clock the console needs; `system/clock.ts` has more of it. */
export interface ConsoleClock {
  now(): Date;
  monotonicMs(): number;
}

/** Everything the console keeps, all of it under one data directory. The server and the admin verbs share it. */
export interface ConsoleState {
  readonly store: ConsoleStore;
  readonly secrets: ConsoleSecrets;
  /** The key was missing at this opening, though there are tenants: what was sealed or derived with it is void. */
  readonly lostKey: boolean;
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
  prune(limits: ConsoleLimits, signal?: AbortSignal): Promise<number>;
  close(): Promise<void>;
}

/** In the data folder, beside the database. */
export const KEY_FILE = 'console.key';
const URL_BEFORE_FIRST_START = 'http://127.0.0.1:8080';

/** Makes the directory (0700) when it is not there. */
export async function openState(
  dataDirectory: string,
  clock: ConsoleClock,
  limits: ConsoleLimits = DEFAULT_LIMITS,
): Promise<ConsoleState> {
  mkdirSync(dataDirectory, { recursive: true, mode: 0o700 });
  // First: who finds a database finds the key to what is in it.
  expectDatabaseOfTenants(dataDirectory, 'console.db');
  const key = join(dataDirectory, KEY_FILE);
  const hadKey = existsSync(key);
  const secrets = loadSecrets(key);
  const store = await openStore(dataDirectory, () => clock.now());
  try {
    const lostKey = !hadKey && (await store.tenants.list()).length > 0;
    return await createState({ store, secrets, lostKey, dataDirectory, clock, limits });
  } catch (error) {
    await store.close();
    throw error;
  }
}

async function createState(parts: {
  readonly store: ConsoleStore;
  readonly secrets: ConsoleSecrets;
  readonly lostKey: boolean;
  readonly dataDirectory: string;
  readonly clock: ConsoleClock;
  readonly limits: ConsoleLimits;
}): Promise<ConsoleState> {
  const { store, secrets, lostKey, dataDirectory, clock, limits } = parts;
  const artifacts = join(dataDirectory, 'artifacts');
  mkdirSync(artifacts, { recursive: true, mode: 0o700 });
  const chance = createSystemChance(() => clock.now().getTime());
  const now = () => clock.now();
  const newId = () => chance.uuidv7();

  const tenants = createTenantStore(store.tenants, now);
  const replays = createReplayGuard(store.requestIds);
  const uploads = createUploadStore(store.uploads, join(dataDirectory, 'uploads'));
  const repositories = createGitRepositories(join(dataDirectory, 'git'));
  const logs = createRunLogStore(store.logs, join(dataDirectory, 'logs'));
  const triggerKeys = createTriggerKeys({
    store: store.triggerKeys,
    sealingKey: secrets.sealingKey,
    now,
    fault: async (tenant, kid) => triggerKeyFault({ repositories, tenants }, tenant, kid, true),
  });
  // A server goes by its own address, even when another one has started on the same directory since.
  let url = (await store.settings.publicUrl()) ?? URL_BEFORE_FIRST_START;
  const publicUrl = () => url;
  const isTenant = async (slug: string) => (await tenants.get(slug)) !== null;
  const people = createPeople({ store: store.people, isTenant, now, newId, publicUrl });
  const https = () => publicUrl().startsWith('https:');
  const sessions = createSessions({ store: store.sessions, now, https, limits });
  const identities = createIdentityWatch(store.identities, now, () => limits.processOverlapMs);
  const enrolment = createEnrolment({ rows: store.enrolments, secrets, newId, publicUrl });

  return {
    store,
    secrets,
    lostKey,
    tenants,
    agents: store.agents,
    people,
    peopleStore: store.people,
    sessions,
    apiKeys: createApiKeys(store.apiKeys, { now, newId }),
    enrolment,
    deviceKeys: createDeviceKeys(store.deviceKeys),
    identities,
    tokens: store.tokens,
    audit: store.audit,
    reports: createReportStore(store.reports),
    fleet: {
      agents: store.fleet,
      changes: store.changes,
      releases: store.releases,
      notes: store.fleetNotes,
    },
    events: createEventHistory(store.events),
    eventSearch: store.eventSearch,
    replays,
    commands: createCommandQueue(store.commands),
    progress: store.progress,
    logs,
    hooks: createTenantHooks(store.hooks, secrets, now),
    triggerKeys,
    runs: store.runs,
    runFacts: store.runFacts,
    flowPlaces: store.flowPlaces,
    repeatable: store.repeatable,
    repositories,
    uploads,
    artifacts,
    clock,
    newId,
    publicUrl,
    changedElsewhere: async () => store.changedElsewhere(),
    async setPublicUrl(own) {
      url = own;
      await store.settings.setPublicUrl(own);
    },
    prune: async (bounds, signal) =>
      (await store.prune(bounds, now(), signal)) +
      (await replays.prune(now(), signal)) +
      (await enrolment.prune(now())) +
      (await store.tokens.prune(now())) +
      (await identities.prune()) +
      (await sessions.prune()) +
      (await uploads.prune(now(), bounds.uploadOpenDays)) +
      (await logs.settle(bounds)),
    close: async () => store.close(),
  };
}
