import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  afterService,
  newService,
  SERVICE_LIMITS,
  type ServiceEvent,
  type ServiceLimits,
  type ServiceMachine,
} from '../../reconciler/service-state.ts';

const failed: ServiceEvent = { kind: 'failed', message: 'exit code 1' };
const missed: ServiceEvent = { kind: 'missed', message: 'GET /live: no answer' };

function walk(events: readonly (readonly [ServiceEvent, number])[], limits: ServiceLimits = SERVICE_LIMITS) {
  let now = 0;
  let machine = newService(now);
  const states: { machine: ServiceMachine; before: ServiceMachine; event: ServiceEvent; now: number }[] = [];
  for (const [event, ms] of events) {
    now += ms;
    const before = machine;
    machine = afterService(before, event, now, limits);
    states.push({ machine, before, event, now });
  }
  return { machine, states };
}

describe('a service on its way', () => {
  it('starts, becomes ready, fails, and is started again after 1 s, then 2 s', () => {
    const { states } = walk([
      [{ kind: 'start' }, 0],
      [{ kind: 'ready' }, 500],
      [failed, 500],
      [{ kind: 'start' }, 1_000],
      [failed, 0],
    ]);
    expect(states.map(({ machine }) => machine.state)).toEqual([
      'starting',
      'ready',
      'restarting',
      'starting',
      'restarting',
    ]);
    expect(states[2]?.machine).toMatchObject({ retryAtMs: 2_000, failures: 1, message: 'exit code 1' });
    expect(states[4]?.machine).toMatchObject({ retryAtMs: 4_000, failures: 2, restarts: 1 });
  });

  it('is broken after three failures in a row, and tried again an hour later; one more failure breaks it again', () => {
    const start: readonly [ServiceEvent, number] = [{ kind: 'start' }, 0];
    const { machine, states } = walk([start, [failed, 0], start, [failed, 0], start, [failed, 0]]);
    expect(machine).toMatchObject({ state: 'broken', failures: 3, retryAtMs: 3_600_000 });
    const again = walk([
      ...states.map(({ event }) => [event, 0] as const),
      start,
      [{ kind: 'ready' }, 0],
      [failed, 9],
    ]);
    expect(again.machine).toMatchObject({ state: 'broken', failures: 4, retryAtMs: 3_600_009 });
  });

  it('forgets its failures after five minutes of being ready, not by becoming ready', () => {
    const begun: (readonly [ServiceEvent, number])[] = [
      [{ kind: 'start' }, 0],
      [failed, 0],
      [{ kind: 'start' }, 0],
      [{ kind: 'ready' }, 0],
    ];
    expect(walk([...begun, [failed, 299_999]]).machine.failures).toBe(2);
    expect(walk([...begun, [failed, 300_000]]).machine.failures).toBe(1);
  });

  it('takes three missed probes in a row for its end', () => {
    const begun: (readonly [ServiceEvent, number])[] = [
      [{ kind: 'start' }, 0],
      [{ kind: 'ready' }, 0],
      [missed, 0],
      [missed, 0],
    ];
    expect(walk(begun).machine).toMatchObject({ state: 'ready', missed: 2 });
    expect(walk([...begun, [{ kind: 'alive' }, 0], [missed, 0]]).machine).toMatchObject({
      state: 'ready',
      missed: 1,
    });
    expect(walk([...begun, [missed, 0]]).machine).toMatchObject({ state: 'restarting', missed: 0 });
  });

  it('forgets what failed when a person asks to try again', () => {
    const start: readonly [ServiceEvent, number] = [{ kind: 'start' }, 0];
    const { machine } = walk([
      start,
      [failed, 0],
      start,
      [failed, 0],
      start,
      [failed, 0],
      [{ kind: 'retry' }, 7],
    ]);
    expect(machine).toMatchObject({ state: 'restarting', failures: 0, retryAtMs: 7 });
  });

  it('keeps its invariants whatever happens in whatever order', () => {
    const event = fc.constantFrom<ServiceEvent>(
      { kind: 'start' },
      { kind: 'ready' },
      failed,
      { kind: 'alive' },
      missed,
      { kind: 'retry' },
      { kind: 'stop', message: null },
    );
    const steps = fc.array(fc.tuple(event, fc.integer({ min: 0, max: 400_000 })), { maxLength: 60 });
    fc.assert(
      fc.property(steps, fc.integer({ min: 1, max: 12 }), (events, breakerFailures) => {
        const limits = { ...SERVICE_LIMITS, breakerFailures };
        for (const { machine, before, event: given, now } of walk(events, limits).states) {
          const { state, retryAtMs, failures, restarts, missed: missing } = machine;
          const changed = state !== before.state;
          const wait = (retryAtMs ?? now) - now;
          const backoff = Math.min(60_000, 1_000 * 2 ** (failures - 1));
          const byFailure = given.kind === 'failed' || given.kind === 'missed';
          const broken = [
            (retryAtMs !== null) !== (state === 'restarting' || state === 'broken'),
            state === 'broken' && failures < breakerFailures,
            state === 'restarting' && failures >= breakerFailures,
            missing >= limits.liveFailures || (state !== 'ready' && missing > 0),
            restarts < before.restarts || machine.sinceMs > now,
            changed && state === 'restarting' && byFailure && wait !== backoff,
            // only a failure breaks it, and only a start, a person or a stop takes it out of that
            changed && state === 'broken' && !byFailure,
            changed && before.state === 'broken' && !['start', 'retry', 'stop'].includes(given.kind),
            changed && state === 'ready' && (before.state !== 'starting' || given.kind !== 'ready'),
          ];
          expect(broken.indexOf(true)).toBe(-1);
        }
      }),
    );
  });
});
