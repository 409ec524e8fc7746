import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { EventDraft } from '../../schemas/event.ts';
import { createSchedules, type ScheduleDeps, type ScheduledFlow } from '../../sources/schedule.ts';
import { scheduledRunId } from '../../sources/schedule-run-id.ts';
import { type Database, IN_MEMORY, openDatabase } from '../../store/database.ts';
import { createStateDocuments } from '../../store/documents.ts';
import { createManualClock, type ManualClock } from '../../system/clock.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const START = '2026-11-20T10:00:30Z';

let database: Database;
let clock: ManualClock;
let flows: ScheduledFlow[];
let timezone: string | null;
let triggered: string[];
let events: EventDraft[];
let faults: unknown[];
let lives: { stop: AbortController; done: Promise<void> }[];

beforeEach(() => {
  database = openDatabase(IN_MEMORY);
  clock = createManualClock(new Date(START));
  flows = [];
  timezone = 'UTC';
  triggered = [];
  events = [];
  faults = [];
  lives = [];
});
afterEach(async () => {
  for (const life of lives) life.stop.abort();
  await Promise.all(lives.map((life) => life.done));
  database.close();
});

function schedule(change: Partial<ScheduledFlow> = {}): ScheduledFlow {
  return { flow: 'a', schedule: '* * * * *', missed: 'skip', since: START, ...change };
}

/** One life of the daemon's schedules; they run every time that they are asked to, but once. */
async function live(change: Partial<ScheduleDeps> = {}): Promise<() => Promise<void>> {
  const stop = new AbortController();
  const schedules = createSchedules({
    clock,
    documents: createStateDocuments(database),
    events: { emit: (event) => void events.push(event) },
    flows: () => flows,
    timezone: () => timezone,
    trigger({ flow, at }) {
      const run = `${flow} ${at.toISOString().slice(11, 16)}`;
      if (!triggered.includes(run)) triggered.push(run);
      return null;
    },
    onFault: (error) => void faults.push(error),
    ...change,
  });
  const done = schedules.run(stop.signal);
  lives.push({ stop, done });
  await clock.advance(0);
  return async () => {
    stop.abort();
    await done;
  };
}

describe('a schedule', () => {
  it('runs at its times, and not before the first of them', async () => {
    flows = [schedule(), schedule({ flow: 'b', schedule: '*/2 * * * *' })];
    await live();
    expect(triggered).toEqual([]);
    await clock.advance(3 * MINUTE);
    expect(triggered).toEqual(['a 10:01', 'a 10:02', 'b 10:02', 'a 10:03']);
    expect(events).toEqual([]);
  });

  it('runs on the minute though its timer fires a moment early, and looking takes a moment', async () => {
    flows = [schedule()];
    const early = {
      ...clock,
      sleep: (ms: number, signal: AbortSignal) => clock.sleep(ms > 1 ? ms - 1 : ms, signal),
    };
    const documents = createStateDocuments(database);
    const slow = {
      ...documents,
      transaction<T>(work: () => T): T {
        const result = documents.transaction(work);
        void clock.advance(2);
        return result;
      },
    };
    const at: string[] = [];
    await live({
      clock: early,
      documents: slow,
      trigger({ at: time }) {
        at.push(`${time.toISOString().slice(11, 16)} at ${clock.now().toISOString().slice(11, 16)}`);
        return null;
      },
    });
    await clock.advance(3 * MINUTE);
    expect(at).toEqual(['10:01 at 10:01', '10:02 at 10:02', '10:03 at 10:03']);
  });

  it('is in the time zone of the agent, and follows a change of it', async () => {
    timezone = 'Europe/Paris';
    flows = [schedule({ schedule: '0 12 * * *' })];
    await live();
    await clock.advance(2 * HOUR);
    expect(triggered).toEqual(['a 11:00']);
    timezone = 'America/New_York';
    await clock.advance(6 * HOUR);
    expect(triggered).toEqual(['a 11:00', 'a 17:00']);
    expect(events).toEqual([]);
  });

  it('begins anew when it is changed, comes or goes, and has no missed past then', async () => {
    flows = [schedule({ schedule: '0 9 * * *', missed: 'run_once' })];
    const end = await live();
    await end();
    await clock.advance(24 * HOUR);
    flows = [
      schedule({ schedule: '0 8 * * *', missed: 'run_once', since: clock.now().toISOString() }),
      schedule({ flow: 'new', missed: 'run_once', since: clock.now().toISOString() }),
    ];
    await live();
    await clock.advance(MINUTE);
    expect(triggered).toEqual(['new 10:01']);
    flows = [];
    await clock.advance(10 * MINUTE);
    flows = [schedule({ flow: 'new', missed: 'run_once', since: clock.now().toISOString() })];
    await clock.advance(MINUTE);
    expect(triggered).toEqual(['new 10:01', 'new 10:12']);
    expect(events).toEqual([]);
  });

  it('is made up for from the moment it came into force, though the agent ended before it looked again', async () => {
    const end = await live();
    await clock.advance(10_000);
    flows = [schedule({ missed: 'run_once', since: clock.now().toISOString() })];
    await end();
    await clock.advance(2 * MINUTE);
    await live();
    expect(triggered).toEqual(['a 10:02']);
    expect(events).toMatchObject([
      { reason: 'ScheduleMissed', message: expect.stringContaining('2 scheduled times') },
    ]);
  });

  it('that comes into force between two looks runs at the first minute after', async () => {
    await live();
    await clock.advance(10_000);
    flows = [schedule({ since: clock.now().toISOString() })];
    await clock.advance(30_000);
    expect(triggered).toEqual(['a 10:01']);
  });
});

describe('missed times', () => {
  it('of a stopped agent come to nothing with missed: skip, and it says how many', async () => {
    flows = [schedule({ schedule: '*/10 * * * *' })];
    const end = await live();
    await clock.advance(MINUTE);
    await end();
    await clock.advance(35 * MINUTE);
    await live();
    await clock.advance(0);
    expect(triggered).toEqual([]);
    expect(events).toMatchObject([
      { reason: 'ScheduleMissed', flow: 'a', message: expect.stringContaining('3 scheduled times') },
    ]);
    await clock.advance(5 * MINUTE);
    expect(triggered).toEqual(['a 10:40']);
  });

  it('of a stopped agent lead to one run with missed: run_once', async () => {
    flows = [schedule({ schedule: '*/10 * * * *', missed: 'run_once' })];
    const end = await live();
    await end();
    await clock.advance(35 * MINUTE);
    await live();
    expect(triggered).toEqual(['a 10:30']);
    await clock.advance(5 * MINUTE);
    expect(triggered).toEqual(['a 10:30', 'a 10:40']);
    expect(events).toHaveLength(1);
  });

  it('of a machine that slept are noticed when it wakes', async () => {
    flows = [
      schedule({ schedule: '0 * * * *' }),
      schedule({ flow: 'b', schedule: '0 * * * *', missed: 'run_once' }),
    ];
    await live();
    await clock.advance(MINUTE);
    clock.set(new Date('2026-11-20T13:20:00Z'));
    await clock.advance(MINUTE);
    expect(triggered).toEqual(['b 13:00']);
    expect(events.map((event) => event.flow)).toEqual(['a', 'b']);
    expect(events[0]?.message).toContain('3 scheduled times');
  });

  it('are counted beside one that is on time, which runs in any case', async () => {
    flows = [schedule({ schedule: '0 * * * *' })];
    await live();
    clock.set(new Date('2026-11-20T12:59:59.500Z'));
    await clock.advance(MINUTE);
    expect(triggered).toEqual(['a 13:00']);
    expect(events).toMatchObject([{ message: expect.stringContaining('2 scheduled times') }]);
  });

  it('survive any number of restarts in which nothing was due', async () => {
    flows = [schedule({ schedule: '0 6 * * *', missed: 'run_once' })];
    for (let life = 0; life < 5; life += 1) {
      const end = await live();
      await clock.advance(3 * HOUR);
      await end();
    }
    expect(triggered).toEqual([]);
    await clock.advance(9 * HOUR);
    await live();
    expect(triggered).toEqual(['a 06:00']);
  });
});

describe('a clock that is set back', () => {
  it('runs no time twice, and goes on at once', async () => {
    flows = [schedule()];
    await live();
    await clock.advance(5 * MINUTE);
    expect(triggered).toHaveLength(5);
    clock.set(new Date('2026-11-20T10:02:30Z'));
    await clock.advance(5 * MINUTE);
    expect(triggered).toEqual(['a 10:01', 'a 10:02', 'a 10:03', 'a 10:04', 'a 10:05', 'a 10:06', 'a 10:07']);
    expect(events).toEqual([]);
  });

  it('from a wrong year does not silence a schedule', async () => {
    flows = [schedule()];
    clock.set(new Date('2099-01-01T00:00:30Z'));
    const end = await live();
    await clock.advance(MINUTE);
    await end();
    clock.set(new Date('2026-11-20T10:00:30Z'));
    await live();
    await clock.advance(2 * MINUTE);
    expect(triggered).toEqual(['a 00:01', 'a 10:01', 'a 10:02']);
  });
});

describe('what cannot be triggered', () => {
  it('is said', async () => {
    flows = [schedule()];
    await live({ trigger: () => 'expected at most 10000 queued runs' });
    await clock.advance(MINUTE);
    expect(events).toMatchObject([
      { reason: 'RunSkipped', flow: 'a', message: expect.stringContaining('10000 queued runs') },
    ]);
  });

  it('because the database cannot be written is tried again a minute later', async () => {
    flows = [schedule({ schedule: '1 10 * * *', missed: 'run_once' })];
    let full = true;
    await live({
      trigger({ flow }) {
        if (full) throw new Error('disk full');
        triggered.push(flow);
        return null;
      },
    });
    await clock.advance(MINUTE);
    expect([triggered, faults.length]).toEqual([[], 1]);
    full = false;
    await clock.advance(MINUTE);
    expect(triggered).toEqual(['a']);
  });
});

it('the run of a time has the same id in every life, and another on every agent, flow and time', () => {
  const at = new Date('2026-11-20T10:00:00Z');
  const id = scheduledRunId('acme/1', 'a', at);
  expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  expect(scheduledRunId('acme/1', 'a', new Date(at))).toBe(id);
  const others = [
    scheduledRunId('acme/2', 'a', at),
    scheduledRunId('acme/1', 'b', at),
    scheduledRunId('acme/1', 'a', new Date(at.getTime() + MINUTE)),
  ];
  expect(new Set([id, ...others]).size).toBe(4);
});
