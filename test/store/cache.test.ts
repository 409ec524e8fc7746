import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createVersionStore } from '../../store/cache.ts';
import { openDatabase } from '../../store/database.ts';
import { createStateDocuments } from '../../store/documents.ts';
import { describeVersionStore } from '../contract/version-store.ts';
import { spawnUnpacker } from '../support/spawn-unpacker.ts';

describeVersionStore('the cache folder', async (clock) => {
  const root = await mkdtemp(join(tmpdir(), 'store-'));
  const cacheDirectory = join(root, 'EdgeFlows');
  const stateDirectory = join(cacheDirectory, '.agent');
  const database = openDatabase(join(stateDirectory, 'agent.db'));
  const documents = createStateDocuments(database);
  const options = {
    cacheDirectory,
    slug: 'acme',
    stateDirectory,
    documents,
    spawnChild: spawnUnpacker,
    clock,
  };
  const stores = [createVersionStore(options)];
  return {
    store: stores[0] ?? createVersionStore(options),
    tenant: join(cacheDirectory, 'acme'),
    state: stateDirectory,
    documents,
    async reopen() {
      const next = createVersionStore(options);
      stores.push(next);
      return next;
    },
    async dispose() {
      await Promise.all(stores.map((store) => store.close()));
      database.close();
      await rm(root, { recursive: true, force: true });
    },
  };
});
