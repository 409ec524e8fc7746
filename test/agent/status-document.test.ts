import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type StatusInputs, statusDocument } from '../../agent/status-document.ts';
import type { FlowStatus } from '../../schemas/status.ts';
import { createDispatcherBench, type DispatcherBench } from '../reconciler/dispatching.ts';
import { DIGEST, flowSpec, flowState, REVISION } from '../reconciler/fixtures.ts';

let bench: DispatcherBench;
beforeEach(() => {
  bench = createDispatcherBench();
  for (const id of ['well', 'bad']) bench.activate({ id, version: 'v1', sha256: DIGEST.a });
  bench.records.saveQuarantine(DIGEST.a, {
    cause: 'health',
    flow: 'bad',
    revision: REVISION,
    message: 'v1 failed its health check: exit code 7',
    at: bench.clock.now().toISOString(),
  });
});
afterEach(() => bench.dispose());

const NONE = { pending: 0, oldest_at: null, parked: 0 };
const flows = (): FlowStatus[] =>
  statusDocument({
    config: { tenant: 'acme', labels: {}, trust: { mode: 'off' }, source: { kind: 'git' } },
    configDigest: 'd',
    configError: null,
    records: bench.records,
    current: bench.current,
    runs: bench.runs,
    queue: { totals: () => NONE },
    live: null,
    tunnel: { state: 'none', since: null },
    services: () => null,
    disk: { used: 0, free: 0 },
    clockOffsetMs: null,
    isolation: 'none',
    identity: { state: 'not_enrolled', since: null, message: null },
    versions: null,
    now: bench.clock.now(),
  } as unknown as StatusInputs).flows;
const quarantined = () =>
  flows()
    .filter((flow) => flow.quarantined !== null)
    .map(({ id }) => id);

describe('a quarantine in the status document', () => {
  it('is that of the flow that failed, not of another one that runs the same bundle well', () => {
    expect(quarantined()).toEqual(['bad']);
  });

  it('is also that of a flow which cannot have the bundle because of it', () => {
    const spec = flowSpec({ id: 'late', sha256: DIGEST.a });
    const setback = { kind: 'stalled', code: 'quarantined', message: 'no' } as const;
    bench.records.saveFlow('late', flowState(spec, { active: null, phase: 'stalled', setback }));
    expect(quarantined()).toEqual(['bad', 'late']);
  });
});
