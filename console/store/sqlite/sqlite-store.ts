import { resolve } from 'node:path';
import type { ConsoleStore } from '../ports/console-store.ts';
import { createAgentStore } from './agents.ts';
import { createApiKeyStore } from './api-keys.ts';
import { createAuditStore } from './audit.ts';
import { createCommandRows } from './commands.ts';
import { damageNamed } from './damage.ts';
import { openDatabase } from './database.ts';
import { createDeviceKeyRows } from './device-keys.ts';
import { createEnrolmentRows } from './enrolments.ts';
import { createEventRows } from './event-rows.ts';
import { createEventSearch } from './event-search.ts';
import { createChangeStore } from './fleet/changes.ts';
import { createFleetNotes } from './fleet/fleet-notes.ts';
import { createFleetStore } from './fleet/fleet-store.ts';
import { createReleaseStore } from './fleet/releases.ts';
import { createSummaryWriter } from './fleet/summary-writer.ts';
import { createFlowPlaces } from './flow-places.ts';
import { createHealth } from './health.ts';
import { createIdentityRows } from './identities.ts';
import { createLogRows } from './log-rows.ts';
import { createPeopleStore } from './people.ts';
import { createRepeatableRequestStore } from './repeatable-requests.ts';
import { createReportRows } from './reports.ts';
import { createRequestIds } from './request-ids.ts';
import { createRunFacts } from './run-facts.ts';
import { createRunIndex } from './run-index.ts';
import { createRunProgressStore } from './run-progress.ts';
import { createSessionStore } from './sessions.ts';
import { createSettingStore } from './settings.ts';
import { createTenantHookRows } from './tenant-hooks.ts';
import { createTenantRows } from './tenants.ts';
import { createTokenRecords } from './token-records.ts';
import { createTriggerKeyStore } from './trigger-keys.ts';
import { createUploadRows } from './uploads.ts';

/** A request with an `Idempotency-Key` may come again for so long. */
const REPEATABLE_MS = 24 * 60 * 60_000;

/**
 * The store in `console.db` of a folder that is there; made when it is not, brought up to date when it is older. `lookedAt`: runs that
 * one search looks at.
 */
export async function openSqliteStore(
  folder: string,
  now: () => Date,
  options: { readonly lookedAt?: number } = {},
): Promise<ConsoleStore> {
  const path = resolve(folder, 'console.db');
  const database = openDatabase(path);
  const summaries = createSummaryWriter(database);
  try {
    summaries.rebuild();
  } catch (error) {
    database.close();
    throw damageNamed(error, path);
  }
  const audit = createAuditStore(database);
  const changes = createChangeStore(database);
  const commands = createCommandRows(database);
  const events = createEventRows(database);
  const progress = createRunProgressStore(database);
  const releases = createReleaseStore(database);
  const repeatable = createRepeatableRequestStore(database);
  const reports = createReportRows(database, summaries);
  const runs = createRunIndex(database, options);
  return {
    agents: createAgentStore(database),
    apiKeys: createApiKeyStore(database),
    audit,
    changes,
    commands,
    deviceKeys: createDeviceKeyRows(database),
    enrolments: createEnrolmentRows(database),
    events,
    eventSearch: createEventSearch(database),
    fleet: createFleetStore(database),
    fleetNotes: createFleetNotes(database, now),
    flowPlaces: createFlowPlaces(database),
    hooks: createTenantHookRows(database),
    identities: createIdentityRows(database),
    logs: createLogRows(database),
    people: createPeopleStore(database),
    progress,
    releases,
    repeatable,
    reports,
    requestIds: createRequestIds(database),
    runFacts: createRunFacts(database),
    runs,
    sessions: createSessionStore(database),
    settings: createSettingStore(database),
    tenants: createTenantRows(database),
    tokens: createTokenRecords(database, now),
    triggerKeys: createTriggerKeyStore(database),
    uploads: createUploadRows(database),
    upgraded: database.migrated,
    healthy: createHealth(database),
    changedElsewhere: async () => database.changedElsewhere(),
    prune: async (bounds, at, signal) =>
      (await audit.prune(bounds.keepAudit, signal)) +
      (await reports.prune(bounds.keepRuns, bounds.keepRunBytes, signal)) +
      (await events.prune(bounds.keepEvents, bounds.keepEventLogs, signal)) +
      (await commands.prune(bounds.keepCommands, signal)) +
      (await progress.prune(bounds.keepRunProgress, signal)) +
      (await runs.prune(bounds.keepRuns, signal)) +
      (await changes.prune(bounds.keepChanges, at, signal)) +
      (await releases.prune(bounds.keepReleases)) +
      (await repeatable.prune(new Date(at.getTime() - REPEATABLE_MS), signal)),
    close: async () => database.close(),
  };
}
