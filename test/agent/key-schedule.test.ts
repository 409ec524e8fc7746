import { describe, expect, it } from 'vitest';
import type { RotationOutcome } from '../../agent/key-rotation.ts';
import { createKeySchedule } from '../../agent/key-schedule.ts';
import type { EventDraft } from '../../schemas/event.ts';
import { createManualClock } from '../../system/clock.ts';
import { newKey } from '../../trust/ceremony/new-key.ts';
import type { DeviceKey } from '../../trust/device-key.ts';
import type { DeviceKeyStore } from '../../trust/key-stores/port.ts';
import { recordingLog } from '../support/recording-log.ts';

const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;

/** An agent's life on a clock of its own: when its key was changed, in days since the beginning. */
function life(
  options: { outcome?: () => RotationOutcome; documents?: Map<string, unknown>; first?: DeviceKey } = {},
) {
  const begin = new Date('2026-11-20T15:00:00Z');
  const clock = createManualClock(begin);
  const documents = options.documents ?? new Map<string, unknown>();
  let current: DeviceKey = options.first ?? newKey();
  const changes: number[] = [];
  const events: EventDraft[] = [];
  const changed = (): RotationOutcome => {
    const before = current.kid;
    current = newKey();
    return { kind: 'changed', before, thumbprint: current.kid };
  };
  const schedule = createKeySchedule({
    rotation: {
      async rotate() {
        changes.push((clock.now().getTime() - begin.getTime()) / DAY_MS);
        return Promise.resolve((options.outcome ?? changed)());
      },
      settle: async () => Promise.resolve(null),
    },
    store: async () =>
      Promise.resolve({ read: async () => Promise.resolve(current) } as unknown as DeviceKeyStore),
    documents: { read: (key) => documents.get(key), write: (key, value) => void documents.set(key, value) },
    events: { emit: (event) => void events.push(event) },
    clock,
    log: recordingLog(),
  });
  const over = new AbortController();
  const running = schedule.run(over.signal).catch(() => {});
  const settle = async () => new Promise((resolve) => setImmediate(resolve));
  return {
    schedule,
    changes,
    events,
    documents,
    current: () => current,
    async pass(ms: number) {
      await settle();
      for (let left = ms; left > 0; left -= HOUR_MS) {
        await clock.advance(Math.min(left, HOUR_MS));
        await settle();
      }
    },
    async end() {
      over.abort(new Error('over'));
      await running;
    },
  };
}

describe('the age of a device key', () => {
  it('is 90 to 100 days, counted by a document that outlives the process', async () => {
    const first = life();
    await first.pass(60 * DAY_MS);
    expect(first.changes).toEqual([]);
    await first.end();
    const next = life({ documents: new Map(first.documents), first: first.current() });
    // its clock stands where that of the first one began
    await next.pass(89 * DAY_MS);
    expect(next.changes).toEqual([]);
    await next.pass(12 * DAY_MS);
    expect(next.changes).toHaveLength(1);
    expect(next.events.map(({ reason }) => reason)).toEqual(['DeviceKeyChanged']);
    await next.pass(80 * DAY_MS);
    expect(next.changes).toHaveLength(1);
    await next.end();
  });

  it('is over at once when the console asks, once a minute at most', async () => {
    const agent = life();
    await agent.pass(HOUR_MS);
    agent.schedule.asked();
    agent.schedule.asked();
    await agent.pass(30_000);
    expect(agent.changes).toHaveLength(1);
    agent.schedule.asked();
    await agent.pass(HOUR_MS);
    expect(agent.changes).toHaveLength(1);
    agent.schedule.asked();
    await agent.pass(30_000);
    expect(agent.changes).toHaveLength(2);
    await agent.end();
  });

  it('goes on where the key could not be changed: tried again after a day, or minutes when nobody answered', async () => {
    let outcome: RotationOutcome = { kind: 'unsupported', message: 'found 404' };
    const agent = life({ outcome: () => outcome });
    agent.schedule.asked();
    await agent.pass(2 * HOUR_MS);
    expect(agent.changes).toHaveLength(1);
    expect(agent.events).toMatchObject([{ reason: 'DeviceKeyKept', because: 'found 404' }]);
    await agent.pass(101 * DAY_MS);
    // one a day since it was due
    expect(agent.changes.length).toBeGreaterThan(1);
    expect(agent.changes.length).toBeLessThan(14);
    outcome = { kind: 'no_answer', message: 'down' };
    const before = agent.changes.length;
    await agent.pass(2 * DAY_MS);
    expect(agent.changes.length - before).toBeGreaterThan(10);
    await agent.end();
  });
});
