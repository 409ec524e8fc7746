import { beforeEach, describe, expect, it } from 'vitest';
import type { FlowWork, ReconcileContext } from '../../reconciler/context.ts';
import type { DesiredService, Executor, ServiceKeeper, ServiceReplacement } from '../../reconciler/ports.ts';
import { type AgentRecords, createAgentRecords } from '../../reconciler/records.ts';
import { health } from '../../reconciler/steps/health.ts';
import type { EventDraft } from '../../schemas/event.ts';
import type { FlowSpec } from '../../schemas/flow-spec.ts';
import { IN_MEMORY, openDatabase } from '../../store/database.ts';
import { createStateDocuments } from '../../store/documents.ts';
import { createSystemChance, createSystemClock } from '../../system/clock.ts';
import { activeFlow, DIGEST, flowSpec, flowState, NOW, pointer, REVISION } from './fixtures.ts';

const OLD = { version: 'v1', sha256: DIGEST.a, path: 'flows/web/v1' };
const spec = flowSpec({
  id: 'web',
  version: 'v2',
  sha256: DIGEST.b,
  runtime: 'service',
  service: { port_env: 'PORT', ready: '/', live: null },
});

describe('the health of a service that was activated', () => {
  let records: AgentRecords;
  let events: EventDraft[];
  let points: unknown[];
  let asked: { desired: DesiredService; again: boolean }[];
  beforeEach(() => {
    records = createAgentRecords(createStateDocuments(openDatabase(IN_MEMORY)));
    const previous = { spec: flowSpec({ ...spec, version: 'v1', sha256: DIGEST.a }), entrypoint: 'main.py' };
    const state = { previous: { ...previous, revision: REVISION }, health: 'unknown' } as const;
    records.saveFlow('web', flowState(spec, state));
    [events, points, asked] = [[], [], []];
  });

  async function check(
    answer: ServiceReplacement,
    given: {
      work?: Partial<FlowWork>;
      services?: Partial<ServiceKeeper>;
      selfTest?: 'failed';
      never?: boolean;
    } = {},
  ) {
    const services = {
      keeps: true,
      replace(desired: DesiredService, { again }: { again: boolean }) {
        asked.push({ desired, again });
        return Promise.resolve(answer);
      },
      ...given.services,
    } as ServiceKeeper;
    const none = new Uint8Array();
    const executor = {
      start: () =>
        Promise.resolve({
          process: { pid: 1, started: '1' },
          cancel() {},
          done: Promise.resolve({ status: 'failed', reason: 'exit code 1', stdout: none, stderr: none }),
        }),
    } as unknown as Executor;
    const checked: FlowSpec =
      given.selfTest === undefined ? spec : { ...spec, health: { args: ['--self-test'], timeout: 1_000 } };
    const current = pointer({
      web: activeFlow({ version: 'v2', sha256: DIGEST.b, path: 'flows/web/v2', previous: OLD }),
    });
    const context = {
      signal: new AbortController().signal,
      now: NOW,
      clock: createSystemClock(),
      chance: createSystemChance(),
      records,
      services,
      events: { emit: (event: EventDraft) => events.push(event) },
      reports: { statusChanged() {}, run() {} },
      executors: new Map([['service', executor]]),
      secrets: () => Promise.resolve({}),
      runDirectory: () => '/nowhere',
      settings: () => ({ tenant: 'acme', rollbackOn: given.never === true ? 'never' : 'health', runs: {} }),
      store: {
        absolute: (path: string) => `/cache/acme/${path}`,
        current: () => current,
        point(changes: unknown, _seq: unknown, alongside?: () => void) {
          points.push(changes);
          alongside?.();
          return Promise.resolve(current);
        },
      },
    } as unknown as ReconcileContext;
    const work: FlowWork = {
      spec: checked,
      version: 'v2',
      path: 'flows/web/v2',
      because: 'a test',
      revision: REVISION,
      seq: null,
      unpackedElsewhere: false,
      actions: [],
      repair: false,
      entrypoint: 'main.py',
      ...given.work,
    };
    const result = await health.run(context, work);
    return { result, health: records.flow('web')?.health, quarantined: records.quarantines().has(DIGEST.b) };
  }

  const failed = (started: boolean): ServiceReplacement => ({ kind: 'failed', message: 'v2 ended', started });

  it('is good when it is ready in the place of the one before it', async () => {
    expect(await check({ kind: 'ready' })).toEqual({
      result: { kind: 'done' },
      health: 'healthy',
      quarantined: false,
    });
    expect(asked).toMatchObject([
      {
        again: false,
        desired: {
          version: 'v2',
          sha256: DIGEST.b,
          directory: '/cache/acme/flows/web/v2',
          entrypoint: 'main.py',
        },
      },
    ]);
  });

  it('is not known without a daemon, nor when the daemon ends meanwhile', async () => {
    const alone = await check({ kind: 'ready' }, { services: { keeps: false } });
    expect(alone).toMatchObject({ result: { kind: 'skip' }, health: 'unknown' });
    expect(asked).toEqual([]);
    expect(await check({ kind: 'unkept' })).toMatchObject({ result: { kind: 'skip' }, health: 'unknown' });
  });

  it('puts the version before it back when it does not get ready', async () => {
    const found = await check(failed(true));
    expect(found).toMatchObject({
      result: { kind: 'stalled', code: 'health_failed', message: 'flow web: v1 is active again, v2 ended' },
      quarantined: true,
    });
    expect(points).toMatchObject([[{ flow: 'web', to: OLD }]]);
    expect(events.map(({ reason }) => reason)).toEqual(['HealthFailed', 'RolledBack']);
  });

  it('stays where runs.rollback_on is never, and says that it is unhealthy', async () => {
    const found = await check(failed(true), { never: true });
    expect(found).toMatchObject({ result: { kind: 'stalled' }, health: 'unhealthy', quarantined: false });
    expect(points).toEqual([]);
  });

  it('says nothing about a version that this machine could not start', async () => {
    const found = await check(failed(false));
    expect(found).toMatchObject({
      result: { kind: 'stalled', message: 'flow web: the health of v2 could not be checked: v2 ended' },
      health: 'unknown',
      quarantined: false,
    });
    expect(points).toEqual([]);
  });

  it('keeps the version whose new settings do not work', async () => {
    const found = await check(failed(true), { work: { repair: true } });
    expect(found).toMatchObject({ result: { kind: 'stalled' }, health: 'unhealthy', quarantined: false });
    expect(points).toEqual([]);
  });

  it('starts it anew when its files were put back in place', async () => {
    const unpacked = { step: 'unpack', flow: 'web', version: 'v2', because: 'drift', outcome: 'done' };
    await check({ kind: 'ready' }, { work: { repair: true, actions: [unpacked] } });
    expect(asked).toMatchObject([{ again: true }]);
  });

  it('touches nothing that runs when the flow’s own check fails', async () => {
    const found = await check({ kind: 'ready' }, { selfTest: 'failed' });
    expect(found).toMatchObject({ result: { code: 'health_failed' }, quarantined: true });
    expect(asked).toEqual([]);
  });
});
