import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openSqliteStore } from '../../../console/store/sqlite/sqlite-store.ts';
import { accessStoresContract } from '../../contract/console-store/access.ts';
import { AT } from '../../contract/console-store/made-agent.ts';

accessStoresContract('SQLite', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'console-store-'));
  const { people, sessions, apiKeys, audit, close } = await openSqliteStore(folder, () => AT);
  return {
    people,
    sessions,
    apiKeys,
    audit,
    close: async () => {
      await close();
      await rm(folder, { recursive: true, force: true });
    },
  };
});
