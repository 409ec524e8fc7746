import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach } from 'vitest';
import { type ConsoleState, openState } from '../../../console/state.ts';
import { createSystemClock } from '../../../system/clock.ts';
import { consoleStoreContract } from '../../contract/console-store/console-store.ts';
import { rootDocument } from '../running-console.ts';

const opened: { state: ConsoleState; folder: string }[] = [];
afterEach(async () => {
  for (const { state } of opened) await state.close();
  for (const { folder } of opened.splice(0)) rmSync(folder, { recursive: true, force: true });
});

consoleStoreContract('the stores in SQLite', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'console-store-'));
  const state = async (): Promise<ConsoleState> => {
    const made = await openState(folder, createSystemClock());
    opened.push({ state: made, folder });
    return made;
  };
  const [one, two] = [await state(), await state()];
  await one.tenants.add({ slug: 'acme', rootDocument: await rootDocument(), artifacts: {} });
  return [one, two];
});
