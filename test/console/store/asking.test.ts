import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openSqliteStore } from '../../../console/store/sqlite/sqlite-store.ts';
import { askingStoresContract } from '../../contract/console-store/asking.ts';
import { AT } from '../../contract/console-store/made-agent.ts';

askingStoresContract('SQLite', async ({ lookedAt }) => {
  const folder = await mkdtemp(join(tmpdir(), 'console-store-'));
  const store = await openSqliteStore(folder, () => AT, { lookedAt });
  return {
    ...store,
    close: async () => {
      await store.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
});
