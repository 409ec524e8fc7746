import { describe, expect, it } from 'vitest';
import type { DesiredService, RunRequest, RunSettings } from '../../reconciler/ports.ts';
import { createServiceInstances } from '../../reconciler/service-instance.ts';
import { createServiceRecords } from '../../reconciler/service-records.ts';
import { newService } from '../../reconciler/service-state.ts';
import { IN_MEMORY, openDatabase } from '../../store/database.ts';
import { createStateDocuments } from '../../store/documents.ts';
import { createSystemChance, createSystemClock } from '../../system/clock.ts';
import { DIGEST, flowSpec, NOW, REVISION } from './fixtures.ts';

const desired: DesiredService = {
  spec: flowSpec({ id: 'web', version: 'v1', runtime: 'service' }),
  entrypoint: 'main.py',
  revision: REVISION,
  version: 'v1',
  sha256: DIGEST.a,
  path: 'flows/web/v1',
  directory: '/nowhere',
};

describe('a service that this machine cannot start', () => {
  it('leaves no record or process behind, and its output stays in the ring of five folders', async () => {
    const database = openDatabase(IN_MEMORY);
    const processes = createServiceRecords(createStateDocuments(database));
    const folders: string[] = [];
    const swept: string[] = [];
    const instances = createServiceInstances('web', {
      launcher: {
        launch({ runDirectory }: RunRequest) {
          folders.push(runDirectory);
          return Promise.reject(new Error('no port is free'));
        },
      },
      processes,
      endOrphans({ runId }) {
        swept.push(runId);
        return Promise.resolve({ ended: 0, left: 0 });
      },
      clock: createSystemClock(),
      chance: createSystemChance(),
      tenant: 'acme',
      settings: () => ({}) as RunSettings,
      secrets: () => Promise.resolve({}),
      runDirectory: (id, slot) => `${id}/${slot}`,
      onFault(error) {
        throw error;
      },
    });
    const track = { desired, identity: 'v1', machine: newService(0), since: NOW };
    for (let tries = 0; tries < 7; tries += 1) {
      await expect(instances.launch(track)).rejects.toThrow('no port is free');
    }
    expect(new Set(swept).size).toBe(7);
    expect(processes.all()).toEqual([{ flow: 'web', slot: 2, processes: [] }]);
    expect(folders.map((folder) => folder.replace('service-web/', ''))).toEqual('1234512'.split(''));
    database.close();
  });
});
