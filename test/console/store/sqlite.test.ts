import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach } from 'vitest';
import { createEventHistory } from '../../../console/event-history.ts';
import { createReplayGuard } from '../../../console/replay-guard.ts';
import { createReportStore } from '../../../console/reports.ts';
import type { ConsoleStore } from '../../../console/store/ports/console-store.ts';
import { openSqliteStore } from '../../../console/store/sqlite/sqlite-store.ts';
import { consoleStoreContract } from '../../contract/console-store/console-store.ts';
import { credentialStoresContract } from '../../contract/console-store/credentials.ts';
import { deliveryStoresContract } from '../../contract/console-store/deliveries.ts';
import { AT, addTenant } from '../../contract/console-store/made-agent.ts';

const opened: { stores: readonly ConsoleStore[]; folder: string }[] = [];
afterEach(async () => {
  for (const { stores, folder } of opened.splice(0)) {
    for (const store of stores) await store.close();
    rmSync(folder, { recursive: true, force: true });
  }
});

async function openTwo(): Promise<[ConsoleStore, ConsoleStore]> {
  const folder = mkdtempSync(join(tmpdir(), 'console-store-'));
  const now = () => AT;
  const stores: [ConsoleStore, ConsoleStore] = [
    await openSqliteStore(folder, now),
    await openSqliteStore(folder, now),
  ];
  opened.push({ stores, folder });
  return stores;
}

consoleStoreContract('the stores in SQLite', async () => {
  const [one, two] = await openTwo();
  await addTenant(one, 'acme');
  const withRules = (store: ConsoleStore) => ({
    ...store,
    events: createEventHistory(store.events),
    replays: createReplayGuard(store.requestIds),
    reports: createReportStore(store.reports),
  });
  return [withRules(one), withRules(two)];
});
credentialStoresContract('SQLite', openTwo);
deliveryStoresContract('SQLite', openTwo);
