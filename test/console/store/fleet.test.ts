import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openDatabase } from '../../../console/store/sqlite/database.ts';
import { createChangeStore } from '../../../console/store/sqlite/fleet/changes.ts';
import { createFleetNotes } from '../../../console/store/sqlite/fleet/fleet-notes.ts';
import { createFleetStore } from '../../../console/store/sqlite/fleet/fleet-store.ts';
import { createReleaseStore } from '../../../console/store/sqlite/fleet/releases.ts';
import { createSummaryWriter } from '../../../console/store/sqlite/fleet/summary-writer.ts';
import { type FleetUnderTest, fleetContract, NOW } from '../../contract/console-store/fleet.ts';
import { heldFlowsContract } from '../../contract/console-store/held-flows.ts';

const open = async (): Promise<FleetUnderTest> => {
  const folder = mkdtempSync(join(tmpdir(), 'fleet-'));
  const database = openDatabase(join(folder, 'console.db'));
  const { sql } = database;
  const summaries = createSummaryWriter(database);
  const at = (time: Date) => time.toISOString();
  return {
    agents: createFleetStore(database),
    changes: createChangeStore(database),
    releases: createReleaseStore(database),
    notes: createFleetNotes(database, () => NOW),
    async enrol({ agent_id: id, tenant, hostname, at: time }) {
      sql
        .prepare('INSERT INTO tenants VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING')
        .run(tenant, 'r', '{}', tenant, at(time));
      sql
        .prepare(
          `INSERT INTO agents (agent_id, slug, thumbprint, device_jwk, git_token_hash, hostname, os, arch, agent_version, enrolled_at)
           VALUES (?, ?, ?, '{}', ?, ?, 'linux', 'x64', '0.1.0', ?)`,
        )
        .run(id, tenant, id, id, hostname, at(time));
    },
    report: async (id, status, time) =>
      database.write(() => {
        sql.prepare('UPDATE agents SET last_seen_at = ? WHERE agent_id = ?').run(at(time), id);
        sql
          .prepare('INSERT OR REPLACE INTO statuses (agent_id, body, received_at) VALUES (?, ?, ?)')
          .run(id, JSON.stringify(status), at(time));
        summaries.record(id, status, time);
      }),
    async revoke(id, time) {
      sql.prepare('UPDATE agents SET revoked_at = ? WHERE agent_id = ?').run(at(time), id);
    },
    reopen: async () => summaries.rebuild(),
    async forget() {
      for (const table of ['agent_summaries', 'agent_details', 'agent_flows', 'agent_changes', 'releases'])
        sql.exec(`DELETE FROM ${table}`);
    },
    async close() {
      database.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
};

fleetContract('SQLite', open);
heldFlowsContract('SQLite', open);
