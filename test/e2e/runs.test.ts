import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createControlClient } from '../../agent/control-client.ts';
import type { AgentOperations } from '../../agent/operations.ts';
import type { Event } from '../../schemas/event.ts';
import { bundleOf } from '../support/bundles.ts';
import { type Daemon, startDaemon, until as untilWithin } from '../support/daemon.ts';
import { createWorld, flowV2, v2, type World } from '../support/world.ts';

const NEVER = new AbortController().signal;
/** For a machine that has other things to do. */
const TEST_MS = 180_000;
const until = <T>(what: string, ask: () => T | Promise<T>) => untilWithin(what, ask, 60_000);

let world: World;
let daemon: Daemon | null;
beforeEach(async () => {
  world = await createWorld();
  daemon = null;
});
afterEach(async () => {
  if (daemon?.process.exitCode === null) await daemon.stop('SIGKILL');
  await world[Symbol.asyncDispose]();
});

/** A flow that goes on until the test lets it end, with the exit code that the test gives. */
const waiting = (text: string) =>
  bundleOf({
    'main.py': `# ${text}
import os, sys, time
run = os.path.join(os.environ["FOLDER"], os.environ["EDGE_RUN_ID"] + "." + os.environ["EDGE_ATTEMPT"])
open(run + ".begun", "w").close()
while not os.path.exists(run + ".end"):
    time.sleep(0.02)
sys.exit(int(open(run + ".end").read()))
`,
  });

async function start(runs: object = {}): Promise<AgentOperations> {
  world.writeConfig({
    source: { url: world.git.url('builder'), interval: '300ms' },
    log: { dir: join(world.folder, 'log') },
    runs: { allow_root: true, grace: '500ms', concurrency: 8, env: { FOLDER: world.folder }, ...runs },
  });
  const socket = join(world.cache, '.agent', 'agent.sock');
  rmSync(socket, { force: true });
  daemon = startDaemon(world);
  await until('the control socket', () => existsSync(socket));
  const operations = createControlClient(socket);
  await until('its first answer', () => operations.status({}, NEVER).catch(() => null));
  return operations;
}

const trigger = async (agent: AgentOperations, flow: string) =>
  (await agent.trigger({ flow, version: null, input: {}, timeout_ms: null }, NEVER)).run_id;
const hasBegun = (run: string, attempt = 1) => existsSync(join(world.folder, `${run}.${attempt}.begun`));
const begun = (run: string, attempt = 1) =>
  until(`attempt ${attempt} of ${run}`, () => hasBegun(run, attempt));
/** By a rename: the flow must never find the file before its content. */
const end = (run: string, code: number, attempt = 1) => {
  const path = join(world.folder, `${run}.${attempt}.end`);
  writeFileSync(`${path}.new`, String(code));
  renameSync(`${path}.new`, path);
};
const result = (agent: AgentOperations, run_id: string) => agent.result({ run_id }, NEVER);
const version = (flow: string) => world.current().flows[flow]?.version;
const events = () =>
  readFileSync(join(world.cache, '.agent', 'events.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Event);
const reasons = (run: string) =>
  events()
    .filter((event) => event.run_id === run)
    .map((event) => event.reason);

it(
  'locks, overlap and cancels are kept to by real processes',
  async () => {
    await world.release(
      v2(
        flowV2(world, 'desk-a', 'v1', waiting('a'), { lock: 'desktop' }),
        flowV2(world, 'desk-b', 'v1', waiting('b'), { lock: 'desktop' }),
        flowV2(world, 'free', 'v1', waiting('f')),
        flowV2(world, 'skipping', 'v1', waiting('s'), { overlap: 'skip' }),
        flowV2(world, 'replacing', 'v1', waiting('r'), { overlap: 'replace' }),
      ),
    );
    expect((await world.reconcile()).code).toBe(0);
    const agent = await start();

    const [a, b1, b2, free] = [
      await trigger(agent, 'desk-a'),
      await trigger(agent, 'desk-b'),
      await trigger(agent, 'desk-b'),
      await trigger(agent, 'free'),
    ];
    await begun(a);
    await begun(free);
    expect(hasBegun(b1)).toBe(false);
    expect((await agent.cancel({ run_id: b1 }, NEVER)).state).toBe('cancelling');
    expect(await result(agent, b1)).toMatchObject({ status: 'cancelled', attempt: 0, started_at: null });
    end(a, 0);
    expect(await result(agent, a)).toMatchObject({ status: 'succeeded' });
    await begun(b2);
    await agent.cancel({ run_id: b2 }, NEVER);
    expect(await result(agent, b2)).toMatchObject({ status: 'cancelled', attempt: 1 });

    const kept = await trigger(agent, 'skipping');
    const skipped = await trigger(agent, 'skipping');
    expect(await result(agent, skipped)).toMatchObject({
      status: 'cancelled',
      attempt: 0,
      reason: expect.stringContaining(kept),
    });
    expect(reasons(skipped)).toEqual(['RunSkipped']);

    const old = await trigger(agent, 'replacing');
    await begun(old);
    const fresh = await trigger(agent, 'replacing');
    expect(await result(agent, old)).toMatchObject({
      status: 'cancelled',
      reason: expect.stringContaining(`replaced by run ${fresh}`),
    });
    await begun(fresh);
    for (const run of [free, kept, fresh]) end(run, 0);
    for (const run of [free, kept, fresh]) {
      expect(await result(agent, run)).toMatchObject({ status: 'succeeded' });
    }
  },
  TEST_MS,
);

it(
  'more runs at a time count at once, and what waits for another attempt survives a restart and a kill',
  async () => {
    await world.release(
      v2(flowV2(world, 'a', 'v1', waiting('a'), { retries: 2 }), flowV2(world, 'b', 'v1', waiting('b'))),
    );
    expect((await world.reconcile()).code).toBe(0);
    let agent = await start({ concurrency: 1 });
    const a = await trigger(agent, 'a');
    const b = await trigger(agent, 'b');
    await begun(a);
    expect(hasBegun(b)).toBe(false);
    world.writeConfig({
      source: { url: world.git.url('builder'), interval: '300ms' },
      log: { dir: join(world.folder, 'log') },
      runs: { allow_root: true, grace: '500ms', concurrency: 2, env: { FOLDER: world.folder } },
    });
    await begun(b);
    end(b, 0);
    end(a, 3);
    await until('the wait for another attempt', () => reasons(a).includes('RunRetrying'));
    expect(await daemon?.stop()).toBe(0);

    agent = await start();
    await begun(a, 2);
    expect(await daemon?.stop('SIGKILL')).toBe('SIGKILL');
    agent = await start();
    await until('the report of the loss', () => reasons(a).includes('RunLost'));
    expect(reasons(a)).toEqual([
      'RunQueued',
      'RunStarted',
      'RunRetrying',
      'RunStarted',
      'OrphansEnded',
      'RunLost',
    ]);
    const { runs } = await agent.runs({ flow: 'a', limit: 10 }, NEVER);
    expect(runs).toMatchObject([{ run_id: a, state: 'lost', attempt: 2 }]);
  },
  TEST_MS,
);

it(
  'three failing runs of a fresh version put the previous one back when runs.rollback_on is runs',
  async () => {
    await world.release(v2(flowV2(world, 'a', 'v1', waiting('one'))));
    const agent = await start({ rollback_on: 'runs' });
    await until('v1', () => existsSync(world.path('current.json')) && version('a') === 'v1');
    await world.release(v2(flowV2(world, 'a', 'v2', waiting('two'))));
    await until('v2', () => version('a') === 'v2');
    for (let n = 0; n < 3; n += 1) {
      const run = await trigger(agent, 'a');
      end(run, 5);
      expect(await result(agent, run)).toMatchObject({ status: 'failed', version: 'v2' });
    }
    await until('v1 again', () => version('a') === 'v1');
    await until('the event', () =>
      events().some((event) => event.reason === 'RolledBack' && event.version === 'v2'),
    );
    const stalled = await until('the status that says so', async () => {
      const status = await agent.status({}, NEVER);
      return status.conditions.some(({ type }) => type === 'Stalled') ? status : null;
    });
    expect(stalled.flows).toMatchObject([
      {
        id: 'a',
        active_version: 'v1',
        quarantined: { reason: expect.stringContaining('3 runs in a row failed') },
      },
    ]);
    const run = await trigger(agent, 'a');
    end(run, 0);
    expect(await result(agent, run)).toMatchObject({ status: 'succeeded', version: 'v1' });
  },
  TEST_MS,
);
