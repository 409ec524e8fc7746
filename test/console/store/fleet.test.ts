import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openDatabase } from '../../../console/store/sqlite/database.ts';
import { openSqliteStore } from '../../../console/store/sqlite/sqlite-store.ts';
import { type FleetUnderTest, fleetContract, NOW } from '../../contract/console-store/fleet.ts';
import { fleetOf } from '../../contract/console-store/fleet-of-store.ts';
import { heldFlowsContract } from '../../contract/console-store/held-flows.ts';

const open = async (): Promise<FleetUnderTest> => {
  const folder = mkdtempSync(join(tmpdir(), 'fleet-'));
  let store = await openSqliteStore(folder, () => NOW);
  return fleetOf(() => store, {
    async reopen() {
      await store.close();
      store = await openSqliteStore(folder, () => NOW);
    },
    // No console of today leaves such a file.
    async forget() {
      const database = openDatabase(join(folder, 'console.db'));
      for (const table of ['agent_summaries', 'agent_details', 'agent_flows', 'agent_changes', 'releases'])
        database.sql.exec(`DELETE FROM ${table}`);
      database.close();
    },
    async outdate() {
      const database = openDatabase(join(folder, 'console.db'));
      database.sql.exec('UPDATE agent_summaries SET made_by = 0');
      database.close();
    },
    async close() {
      await store.close();
      rmSync(folder, { recursive: true, force: true });
    },
  });
};

fleetContract('SQLite', open);
heldFlowsContract('SQLite', open);
