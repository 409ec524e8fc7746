import type { AgentStore } from './agents.ts';
import type { ApiKeyStore } from './api-keys.ts';
import type { AuditStore } from './audit.ts';
import type { CommandRows } from './commands.ts';
import type { DeviceKeyRows } from './device-keys.ts';
import type { EnrolmentRows } from './enrolments.ts';
import type { EventRows } from './event-rows.ts';
import type { EventSearch } from './event-search.ts';
import type { ChangeStore, FleetNotes, FleetStore } from './fleet.ts';
import type { FlowPlaces } from './flow-places.ts';
import type { IdentityRows } from './identities.ts';
import type { LogRows } from './log-rows.ts';
import type { PeopleStore } from './people.ts';
import type { ReleaseStore } from './releases.ts';
import type { RepeatableRequestStore } from './repeatable-requests.ts';
import type { ReportRows } from './reports.ts';
import type { RequestIds } from './request-ids.ts';
import type { RunFacts } from './run-facts.ts';
import type { RunIndex } from './run-index.ts';
import type { RunProgressStore } from './run-progress.ts';
import type { SessionStore } from './sessions.ts';
import type { SettingStore } from './settings.ts';
import type { TenantHookRows } from './tenant-hooks.ts';
import type { TenantRows } from './tenants.ts';
import type { TokenRecords } from './token-records.ts';
import type { TriggerKeyStore } from './trigger-keys.ts';
import type { Upgrade } from './upgrade.ts';
import type { UploadRows } from './uploads.ts';

/** How many of each are kept; rows of one agent, except for audit and releases. */
export interface StoreBounds {
  readonly keepAudit: number;
  readonly keepRuns: number;
  readonly keepRunBytes: number;
  readonly keepEvents: number;
  readonly keepEventLogs: number;
  readonly keepCommands: number;
  readonly keepRunProgress: number;
  readonly keepChanges: number;
  readonly keepReleases: number;
}

/**
 * All that a console keeps beside its files: every method is one atomic step, on the disk when it resolves (docs/decisions/0088).
 * What every implementation has to do is test/contract/console-store.
 */
export interface ConsoleStore {
  readonly agents: AgentStore;
  readonly apiKeys: ApiKeyStore;
  readonly audit: AuditStore;
  readonly changes: ChangeStore;
  readonly commands: CommandRows;
  readonly deviceKeys: DeviceKeyRows;
  readonly enrolments: EnrolmentRows;
  readonly events: EventRows;
  readonly eventSearch: EventSearch;
  readonly fleet: FleetStore;
  readonly fleetNotes: FleetNotes;
  readonly flowPlaces: FlowPlaces;
  readonly hooks: TenantHookRows;
  readonly identities: IdentityRows;
  readonly logs: LogRows;
  readonly people: PeopleStore;
  readonly progress: RunProgressStore;
  readonly releases: ReleaseStore;
  readonly repeatable: RepeatableRequestStore;
  readonly reports: ReportRows;
  readonly requestIds: RequestIds;
  readonly runFacts: RunFacts;
  readonly runs: RunIndex;
  readonly sessions: SessionStore;
  readonly settings: SettingStore;
  readonly tenants: TenantRows;
  readonly tokens: TokenRecords;
  readonly triggerKeys: TriggerKeyStore;
  readonly uploads: UploadRows;
  /** What opening it changed; null for a new one, and for one of this version. */
  readonly upgraded: Upgrade | null;
  /** Rejected with `StoreUnwritable` when nothing can be written, with another fault when it cannot be read. */
  healthy(): Promise<void>;
  /** Whether another process has written since this was asked last; true the first time. */
  changedElsewhere(): Promise<boolean>;
  /**
   * Brings what only grows back within its bounds; how many rows went. In pieces: everything else has its turn between two of them,
   * and what an abort or a crash has left goes the next time. Throws the signal's reason.
   */
  prune(bounds: StoreBounds, now: Date, signal?: AbortSignal): Promise<number>;
  /** Writes what waits, first. */
  close(): Promise<void>;
}
