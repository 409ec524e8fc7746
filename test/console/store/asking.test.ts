import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createAuditStore } from '../../../console/store/sqlite/audit.ts';
import { openDatabase } from '../../../console/store/sqlite/database.ts';
import { createRepeatableRequestStore } from '../../../console/store/sqlite/repeatable-requests.ts';
import { createRunIndex } from '../../../console/store/sqlite/run-index.ts';
import { noteRunEnded, noteRunStarted } from '../../../console/store/sqlite/run-index-writes.ts';
import { createTriggerKeyStore } from '../../../console/store/sqlite/trigger-keys.ts';
import { askingStoresContract } from '../../contract/console-store/asking.ts';

askingStoresContract('SQLite', async ({ lookedAt }) => {
  const folder = await mkdtemp(join(tmpdir(), 'console-store-'));
  const database = openDatabase(join(folder, 'console.db'));
  const at = '2026-11-20T12:00:00.000Z';
  for (const slug of ['acme', 'globex']) {
    database
      .prepare(
        "INSERT INTO tenants (slug, root_sha256, artifacts, publisher_hash, created_at) VALUES (?, '', '{}', ?, ?)",
      )
      .run(slug, slug, at);
  }
  return {
    triggerKeys: createTriggerKeyStore(database),
    repeatable: createRepeatableRequestStore(database),
    runs: createRunIndex(database, { lookedAt }),
    audit: createAuditStore(database),
    addAgent: async (tenant, agentId, hostname) =>
      void database
        .prepare(
          `INSERT INTO agents (agent_id, slug, thumbprint, device_jwk, git_token_hash, hostname, os, arch, agent_version, enrolled_at)
           VALUES (?, ?, ?, '{}', ?, ?, 'linux', 'x64', '0.1.0', ?)`,
        )
        .run(agentId, tenant, agentId, agentId, hostname, at),
    started: async (agentId, { attempt = 1, ...run }, when) =>
      database.write(() =>
        noteRunStarted(database, agentId, { ...run, attempt, version: 'v1', at: when.toISOString() }, when),
      ),
    ended: async (agentId, { attempt = 1, ...run }, when) =>
      database.write(() => {
        const times = { started_at: at, finished_at: when.toISOString() };
        noteRunEnded(database, agentId, { version: 'v1', exit_code: 0, ...times, ...run, attempt }, when);
      }),
    close: async () => {
      database.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
});
