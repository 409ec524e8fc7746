import type { RunRecord } from '../reconciler/ports.ts';
import { ServiceProcesses } from '../schemas/service.ts';
import type { Database } from './database.ts';

const TENANT_DOCUMENT = 'state_tenant';
const TABLES = {
  runs: 'id, run_id, flow, state, finished_ms, record',
  reports: 'id, kind, key, body, created_ms, attempts, next_ms, last_error, parked',
  commands: 'id, command_id, command, via, received_ms, expires_ms, done_ms, outcome',
} as const;

/** What may still run of a tenant that this state does not serve now. */
export interface LeftRun {
  readonly runId: string;
  readonly process: RunRecord['process'];
}

/** Runs, reports and commands of the tenants that this state served before, and does not now. */
export interface OtherTenants {
  /** Runs and services that an agent which ended in the middle of its work may have left. */
  left(): LeftRun[];
  /** Whether a file of theirs waits to be sent. */
  awaitsUpload(uploadId: string): boolean;
}

/**
 * Runs, reports and commands are one tenant's: those of the tenant before are set aside as they are, and those of `slug` come
 * back in their order, in one transaction. To be called before anything of them is read. A state that knows of no tenant yet is
 * taken to be of this one. The ids stay, as none is ever given twice.
 */
export function serveTenant({ sqlite, transaction }: Database, slug: string): OtherTenants {
  const before = sqlite.prepare('SELECT value FROM documents WHERE key = ?').get(TENANT_DOCUMENT);
  const served = before === undefined ? null : (JSON.parse(String(before['value'])) as string);
  if (served !== slug) {
    transaction(() => {
      for (const [table, columns] of Object.entries(TABLES)) {
        if (served !== null) {
          const aside = `INSERT INTO ${table}_of_others (tenant, ${columns}) SELECT ?, ${columns} FROM ${table}`;
          sqlite.prepare(aside).run(served);
          sqlite.exec(`DELETE FROM ${table}`);
        }
        const back = `INSERT INTO ${table} (${columns}) SELECT ${columns} FROM ${table}_of_others WHERE tenant = ? ORDER BY id`;
        sqlite.prepare(back).run(slug);
        sqlite.prepare(`DELETE FROM ${table}_of_others WHERE tenant = ?`).run(slug);
      }
      const note = `INSERT INTO documents (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value`;
      sqlite.prepare(note).run(TENANT_DOCUMENT, JSON.stringify(slug));
    });
  }
  const selectRunning = sqlite.prepare(`SELECT record FROM runs_of_others WHERE state = 'running'`);
  const selectServices = sqlite.prepare(
    `SELECT value FROM documents WHERE key GLOB 'tenant/*/service/*' AND substr(key, 1, length(:own)) <> :own`,
  );
  const selectUpload = sqlite.prepare(
    `SELECT 1 AS found FROM reports_of_others WHERE kind = 'upload' AND key = ?`,
  );
  return {
    left() {
      const runs = selectRunning.all().map((row) => JSON.parse(String(row['record'])) as RunRecord);
      const services = selectServices.all({ own: `tenant/${slug}/` }).flatMap((row) => {
        const parsed = ServiceProcesses.safeParse(JSON.parse(String(row['value'])));
        return parsed.success ? parsed.data.processes : [];
      });
      return [...runs, ...services].map(({ run_id: runId, process }) => ({ runId, process }));
    },
    awaitsUpload: (uploadId) => selectUpload.get(`file/${uploadId}`) !== undefined,
  };
}
