import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Event } from '../../schemas/event.ts';
import type { RunSummary } from '../../schemas/run.ts';
import type { RunTimeline } from '../../schemas/run-timeline.ts';
import type { ScheduleMark } from '../../schemas/schedule-mark.ts';
import { type Daemon, startDaemon, until } from '../support/daemon.ts';
import { createWorld, flowV2, helloBundle, v2, type World } from '../support/world.ts';

const HOUR_MS = 3_600_000;

let world: World;
let daemon: Daemon | null;
beforeEach(async () => {
  world = await createWorld();
  daemon = null;
});
afterEach(async () => {
  await daemon?.stop('SIGKILL');
  await world[Symbol.asyncDispose]();
});

function events(reason: Event['reason']): Event[] {
  const file = join(world.cache, '.agent', 'events.jsonl');
  if (!existsSync(file)) return [];
  const lines = readFileSync(file, 'utf8').trim().split('\n');
  return lines.map((line) => JSON.parse(line) as Event).filter((event) => event.reason === reason);
}

const scheduled = async () =>
  (await world.json<RunSummary[]>('runs')).document.filter((run) => run.trigger === 'schedule');

async function life(count: number): Promise<void> {
  daemon = startDaemon(world);
  await until('a life of the daemon', () => events('AgentStarted').length === count);
}

/** As if a daemon had looked at the schedule so long ago, and been off since. */
function offFor(ms: number): void {
  const considered = new Date(Date.now() - ms).toISOString();
  const mark: ScheduleMark = { schedule: '* * * * *', timezone: null, considered };
  using database = new DatabaseSync(join(world.cache, '.agent', 'agent.db'));
  const insert = database.prepare('INSERT INTO documents (key, value) VALUES (?, ?)');
  insert.run('tenant/acme/schedule/a', JSON.stringify(mark));
}

it('a schedule runs by itself, makes up for a time that was missed, runs none twice, and each run leads back to its commit', async () => {
  const every = { schedule: '* * * * *', missed: 'run_once' };
  const commit = await world.release(v2(flowV2(world, 'a', 'v1', helloBundle('tick'), every)));
  expect((await world.reconcile()).code).toBe(0);
  offFor(3 * HOUR_MS);
  await life(1);
  const missed = await until('what was missed', () => events('ScheduleMissed')[0]);
  expect(missed.message).toMatch(/18\d scheduled times .* one run makes up for it/);
  await until('the run that makes up', async () => (await scheduled()).length > 0);
  const caughtUp = (await scheduled()).length;
  await until('a run on time', async () => (await scheduled()).length > caughtUp, 75_000);
  await daemon?.stop();
  const all = await scheduled();

  await life(2);
  await daemon?.stop();
  const times = (await scheduled()).map((run) => run.run_id);
  expect(times.slice(-all.length)).toEqual(all.map((run) => run.run_id));
  expect(events('RunQueued').length).toBe(times.length);
  expect(new Set(events('RunQueued').map((event) => event.because)).size).toBe(times.length);

  const run = all.find(({ state }) => state === 'succeeded');
  const { document } = await world.json<RunTimeline>('runs', run?.run_id ?? '');
  expect(document).toMatchObject({
    trigger: 'schedule',
    because: expect.stringMatching(/^schedule "\* \* \* \* \*" of .*:00\.000Z$/),
    version: 'v1',
    revision: `tenant/acme@sha1:${commit}`,
    activated: { reason: 'VersionActivated', flow: 'a' },
    commit: { subject: expect.any(String), author: expect.any(String) },
  });
  expect(document.events.map(({ reason }) => reason)).toEqual(['RunQueued', 'RunStarted', 'RunSucceeded']);
  const { flow, version, revision, because } = document;
  for (const event of document.events) expect(event).toMatchObject({ flow, version, revision, because });
  expect((await world.agent('runs', document.run_id)).stdout).toContain('Commit');
  expect((await world.agent('runs', 'nothing')).code).toBe(2);
}, 360_000);
