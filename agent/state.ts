import { chmod, mkdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock, CommandStore, ReportQueue, RunStore, StateDocuments } from '../reconciler/ports.ts';
import { type AgentRecords, createAgentRecords } from '../reconciler/records.ts';
import type { AgentConfig } from '../schemas/agent-config.ts';
import { createCommandStore } from '../store/command-store.ts';
import { openDatabase } from '../store/database.ts';
import { createStateDocuments } from '../store/documents.ts';
import { type OtherTenants, serveTenant } from '../store/other-tenants.ts';
import { createReportQueue } from '../store/report-queue.ts';
import { createRunStore } from '../store/run-store.ts';
import { stateSince } from '../store/state-since.ts';
import { createCommandTimeFile } from '../trust/command-time-file.ts';
import { createCredentialsTrustFile } from '../trust/trust-state-file.ts';
import type { AgentPaths } from './paths.ts';
import { tenantDocuments } from './tenant-documents.ts';

/** What the agent remembers: everything in `agent.db`. */
export interface AgentState {
  readonly documents: StateDocuments;
  readonly ofTenant: StateDocuments;
  readonly records: AgentRecords;
  readonly runs: RunStore;
  readonly queue: ReportQueue;
  readonly commands: CommandStore;
  /** What is set aside of tenants that agent.yaml named before. */
  readonly others: OtherTenants;
  /** When this state began: commands issued before it are refused. */
  readonly since: Date;
  close(): void;
}

/** Whoever calls this holds the state lock. */
export async function openAgentState(
  paths: AgentPaths,
  config: AgentConfig,
  clock: Clock,
): Promise<AgentState> {
  await openStateFolder(paths, config);
  const began = await notBeforeReleases(paths, clock.now());
  const database = openDatabase(paths.database);
  const others = serveTenant(database, config.tenant);
  const documents = createStateDocuments(database);
  const ofTenant = tenantDocuments(documents, config.tenant);
  const records = createAgentRecords(ofTenant);
  return {
    documents,
    ofTenant,
    records,
    runs: createRunStore(database),
    queue: createReportQueue(database),
    commands: createCommandStore(database),
    others,
    since: stateSince(documents, began),
    close() {
      records.flush();
      database.close();
    },
  };
}

/**
 * Now, by a clock that may stand in the past at the first start: never before the newest release that was accepted, and after the
 * newest command that came from ahead of that clock. Both are remembered with the credentials and outlive a lost state. A
 * damaged memory is said by whoever verifies with it.
 */
async function notBeforeReleases(paths: AgentPaths, now: Date): Promise<Date> {
  const memory = await createCredentialsTrustFile(paths.credentials)
    .load()
    .catch(() => null);
  const issued = new Date(memory?.latest_issued ?? 0);
  const taken = await createCommandTimeFile(paths.credentials).load();
  const afterCommand = new Date(taken === null ? 0 : taken.getTime() + 1);
  return [issued, afterCommand].reduce((latest, time) => (time > latest ? time : latest), now);
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
