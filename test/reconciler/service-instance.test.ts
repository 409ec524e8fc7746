import { describe, expect, it } from 'vitest';
import type {
  Clock,
  DesiredService,
  RunRequest,
  RunSettings,
  ServiceProcess,
} from '../../reconciler/ports.ts';
import { createServiceInstances, type InstanceDeps, type Track } from '../../reconciler/service-instance.ts';
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
      await expect(instances.launch(track, new AbortController().signal)).rejects.toThrow('no port is free');
    }
    expect(new Set(swept).size).toBe(7);
    expect(processes.all()).toEqual([{ flow: 'web', slot: 2, processes: [] }]);
    expect(folders.map((folder) => folder.replace('service-web/', ''))).toEqual('1234512'.split(''));
    database.close();
  });
});

describe('a service that is never ready', () => {
  it('is told by its answers, not by the last question, which the deadline cut', async () => {
    let now = 0;
    const asked: number[] = [];
    const clock: Clock = {
      ...createSystemClock(),
      monotonicMs: () => now,
      sleep(ms) {
        now += ms;
        return Promise.resolve();
      },
    };
    const instances = createServiceInstances('web', { clock } as InstanceDeps);
    const service = {
      ended: new Promise<string>(() => {}),
      probe(path: string, timeoutMs: number) {
        asked.push(timeoutMs);
        if (timeoutMs > 200) return Promise.resolve(`GET ${path}: expected 2xx or 3xx, found 404`);
        now += timeoutMs;
        return Promise.resolve(`GET ${path}: no answer within ${timeoutMs} ms`);
      },
    } as unknown as ServiceProcess;
    const spec = { ...desired.spec, timeout: 1_100, service: { ready: '/helth', live: null } };
    const track = {
      desired: { ...desired, spec },
      identity: 'v1',
      machine: newService(0),
      since: NOW,
    } as Track;
    const instance = { track, runId: 'run', service, ended: null };
    expect(await instances.untilReady(instance, new AbortController().signal)).toEqual({
      why: 'was not ready within 1100ms: GET /helth: expected 2xx or 3xx, found 404',
    });
    expect(asked.at(-1)).toBe(100);
  });
});
