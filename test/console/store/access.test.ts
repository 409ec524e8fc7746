import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createApiKeyStore } from '../../../console/store/sqlite/api-keys.ts';
import { createAuditStore } from '../../../console/store/sqlite/audit.ts';
import { openDatabase } from '../../../console/store/sqlite/database.ts';
import { createPeopleStore } from '../../../console/store/sqlite/people.ts';
import { createSessionStore } from '../../../console/store/sqlite/sessions.ts';
import { accessStoresContract } from '../../contract/console-store/access.ts';

accessStoresContract('SQLite', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'console-store-'));
  const database = openDatabase(join(folder, 'console.db'));
  return {
    people: createPeopleStore(database),
    sessions: createSessionStore(database),
    apiKeys: createApiKeyStore(database),
    audit: createAuditStore(database),
    close: async () => {
      database.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
});
