import { expect, it } from 'vitest';
import type { DesiredService, RunRequest, RunSettings } from '../../reconciler/ports.ts';
import { createServiceFlow } from '../../reconciler/service-flow.ts';
import { createServiceRecords } from '../../reconciler/service-records.ts';
import { IN_MEMORY, openDatabase } from '../../store/database.ts';
import { createStateDocuments } from '../../store/documents.ts';
import { createSystemChance, createSystemClock } from '../../system/clock.ts';
import { DIGEST, flowSpec, REVISION } from './fixtures.ts';

it('gives up a start that takes long when the service is not wanted any more', async () => {
  const desired: DesiredService = {
    spec: flowSpec({ id: 'web', version: 'v1', runtime: 'service' }),
    entrypoint: 'main.py',
    revision: REVISION,
    version: 'v1',
    sha256: DIGEST.a,
    path: 'flows/web/v1',
    directory: '/nowhere',
  };
  const database = openDatabase(IN_MEMORY);
  const processes = createServiceRecords(createStateDocuments(database));
  const starting = Promise.withResolvers<void>();
  const service = createServiceFlow('web', {
    launcher: {
      // As one that builds an environment first.
      launch: ({ signal }: RunRequest) => {
        starting.resolve();
        return new Promise((_, reject) => {
          signal?.addEventListener('abort', () => reject(signal.reason as Error));
        });
      },
    },
    processes,
    endOrphans: () => Promise.resolve({ ended: 0, left: 0 }),
    clock: createSystemClock(),
    chance: createSystemChance(),
    tenant: 'acme',
    settings: () => ({}) as RunSettings,
    secrets: () => Promise.resolve({}),
    runDirectory: (id, slot) => `${id}/${slot}`,
    events: { emit: () => {} },
    onChange: () => {},
    onFault(error) {
      throw error;
    },
  });
  service.want(desired);
  await starting.promise;
  service.want(null);
  await service.done;
  expect(service.over()).toBe(true);
  expect(processes.all().flatMap((entry) => entry.processes)).toEqual([]);
  database.close();
});
