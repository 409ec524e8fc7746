import { chmodSync, existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Event } from '../../schemas/event.ts';
import type { Status } from '../../schemas/status.ts';
import { bundleOf } from '../support/bundles.ts';
import { type Daemon, startCommand, startDaemon, until } from '../support/daemon.ts';
import { createWorld, helloBundle, manifestV1, type World } from '../support/world.ts';

let world: World;
let daemon: Daemon | null = null;
beforeEach(async () => {
  world = await createWorld();
});
afterEach(async () => {
  if (daemon !== null && daemon.process.exitCode === null) await daemon.stop('SIGKILL');
  daemon = null;
  await world[Symbol.asyncDispose]();
});

const fast = (more: object = {}) => ({
  source: { url: world.git.url('builder'), interval: '200ms' },
  log: { dir: join(world.folder, 'log') },
  ...more,
});
const active = () => {
  try {
    return world.current().flows['default']?.version;
  } catch {
    return undefined;
  }
};
const start = async (more: object = {}) => {
  world.writeConfig(fast(more));
  daemon = startDaemon(world);
  await until('the control socket', () => existsSync(join(world.cache, '.agent', 'agent.sock')));
  return daemon;
};
const status = async () => (await world.json<Status>('status')).document;

describe('the agent as a daemon', () => {
  it('takes every release as it comes, and ends cleanly at SIGTERM', async () => {
    await world.release(manifestV1(world, 'a.tar.gz', helloBundle('one')), { version: 'v1' });
    const agent = await start();
    await until('v1', () => active() === 'v1');
    await world.release(manifestV1(world, 'b.tar.gz', helloBundle('two')), { version: 'v2' });
    await until('v2', () => active() === 'v2');
    expect(await agent.stop()).toBe(0);
    expect(existsSync(join(world.cache, '.agent', 'agent.sock'))).toBe(false);
    expect(existsSync(join(world.folder, 'log', 'edge-agent.log'))).toBe(true);
  });

  it('answers commands through a socket that only its owner may open', async () => {
    await world.release(manifestV1(world, 'a.tar.gz', helloBundle('one')), { version: 'v1' });
    await start();
    await until('v1', () => active() === 'v1');
    const socket = statSync(join(world.cache, '.agent', 'agent.sock'));
    expect(socket.mode & 0o077).toBe(0);
    expect(statSync(join(world.cache, '.agent')).mode & 0o077).toBe(0);
    const run = await world.json('trigger', 'default', '--wait');
    expect(run.document).toMatchObject({ status: 'succeeded', stdout: 'one v1\n' });
    expect((await world.reconcile()).document.actions).toEqual([]);
    chmodSync(world.path('v1', 'main.py'), 0o644);
    writeFileSync(world.path('v1', 'main.py'), 'print("changed")');
    // repaired here, or a moment before by the daemon's own first look
    await world.reconcile();
    const { document: events } = await world.json<Event[]>('events');
    expect(events.map(({ reason }) => reason)).toContain('DriftRepaired');
    expect(readFileSync(world.path('v1', 'main.py'), 'utf8')).not.toContain('changed');
    expect((await status()).conditions).toMatchObject([{ type: 'Ready', status: 'True' }]);
  });

  it('takes a good edit of agent.yaml without a restart, and leaves a bad one out', async () => {
    await world.release(manifestV1(world, 'a.tar.gz', helloBundle('one')), { version: 'v1' });
    await start();
    await until('v1', () => active() === 'v1');
    world.writeConfig(fast({ labels: { site: 'lyon' } }));
    await until('the new labels', async () => (await status()).labels['site'] === 'lyon');
    world.writeConfig(fast({ labels: { site: 'paris' }, runz: {} }));
    const reasons = () => readFileSync(join(world.cache, '.agent', 'events.jsonl'), 'utf8');
    await until('the rejection', () => reasons().includes('ConfigRejected'));
    // the daemon goes on with the good one, can be talked to, and says what is wrong with the other
    expect((await status()).config.error).toContain('unknown key "runz"');
    expect(await world.agent('reconcile')).toMatchObject({
      code: 0,
      stderr: expect.stringContaining('runz'),
    });
    await world.release(manifestV1(world, 'b.tar.gz', helloBundle('two')), { version: 'v2' });
    await until('v2', () => active() === 'v2');
    world.writeConfig(fast({ labels: { site: 'nice' } }));
    await until('the repaired file', async () => (await status()).labels['site'] === 'nice');
    expect((await status()).config.error).toBeNull();
  });

  it('is pre-empted by a newer revision in the middle of a download', async () => {
    const slow = helloBundle('slow');
    const url = `${world.artifacts.origin}/edge-artifacts/slow.tar.gz`;
    let asked = 0;
    world.artifacts.on('/edge-artifacts/slow.tar.gz', (_request, response) => {
      asked += 1;
      response.writeHead(200, { 'content-length': '1000000' });
      response.write(slow.bytes);
    });
    await world.release({ edge_url: url, sha256: slow.sha256, runtime: 'python' }, { version: 'v1' });
    await start();
    await until('the slow download', () => asked > 0);
    await world.release(manifestV1(world, 'b.tar.gz', helloBundle('fixed')), { version: 'v2' });
    await until('v2', () => active() === 'v2');
    const events = readFileSync(join(world.cache, '.agent', 'events.jsonl'), 'utf8');
    expect(events).toContain('ReconcilePreempted');
  });

  it('cancels a run, and lets the others finish before it ends', async () => {
    const sleeper = bundleOf({ 'main.py': 'import time\nprint("begin", flush=True)\ntime.sleep(60)\n' });
    await world.release(manifestV1(world, 's.tar.gz', sleeper), { version: 'v1' });
    await start();
    await until('v1', () => active() === 'v1');
    const { document } = await world.json<{ run_id: string }>('trigger', 'default');
    await until('the run', async () => (await status()).runs.running === 1);
    expect((await world.json('cancel', document.run_id)).document).toEqual({
      run_id: document.run_id,
      state: 'cancelling',
    });
    const ended = await until('its end', async () => {
      const runs = (await world.json<{ run_id: string; state: string }[]>('runs')).document;
      return runs.find((run) => run.run_id === document.run_id && run.state !== 'running');
    });
    expect(ended.state).toBe('cancelled');
  });

  it('reports a run as lost when it was killed in the middle, and leaves no process behind', async () => {
    const sleeper = bundleOf({
      'main.py': 'import os, time\nprint(os.getpid(), flush=True)\ntime.sleep(600)\n',
    });
    await world.release(manifestV1(world, 's.tar.gz', sleeper), { version: 'v1' });
    const agent = await start();
    await until('v1', () => active() === 'v1');
    const { document } = await world.json<{ run_id: string }>('trigger', 'default');
    const pid = await until('the pid', async () =>
      Number((await world.agent('logs', document.run_id)).stdout.trim()),
    );
    expect(await agent.stop('SIGKILL')).toBe('SIGKILL');
    daemon = startDaemon(world);
    const lost = await until('lost', async () => {
      const runs = (await world.json<{ state: string }[]>('runs')).document;
      return runs.find((run) => run.state === 'lost');
    });
    expect(lost).toMatchObject({ state: 'lost' });
    await until('the end of the orphan', () => !existsSync(`/proc/${pid}`));
  });

  it('keeps its state to itself: a second daemon says who holds the lock', async () => {
    await world.release(manifestV1(world, 'a.tar.gz', helloBundle('one')), { version: 'v1' });
    const agent = await start();
    const second = await world.agent('run');
    expect(second.code).toBe(5);
    expect(second.stderr).toContain(`locked by process ${agent.process.pid}`);
  });

  it('follows events and logs while they happen', async () => {
    const talker = bundleOf({
      'main.py': 'import time\nfor n in range(3):\n  print(n, flush=True)\n  time.sleep(0.2)\n',
    });
    await world.release(manifestV1(world, 't.tar.gz', talker), { version: 'v1' });
    await start();
    await until('v1', () => active() === 'v1');
    const { document } = await world.json<{ run_id: string }>('trigger', 'default');
    const followed = await world.agent('logs', document.run_id, '--follow');
    expect(followed).toMatchObject({ code: 0, stdout: '0\n1\n2\n' });
  });

  it('lets a run finish at the first SIGTERM and ends it at the second', async () => {
    const sleeper = bundleOf({ 'main.py': 'import time\nprint("begin", flush=True)\ntime.sleep(600)\n' });
    await world.release(manifestV1(world, 's.tar.gz', sleeper), { version: 'v1' });
    const agent = await start();
    await until('v1', () => active() === 'v1');
    const { document } = await world.json<{ run_id: string }>('trigger', 'default');
    await until('its output', async () => (await world.agent('logs', document.run_id)).stdout === 'begin\n');
    agent.process.kill('SIGTERM');
    await until('the wait', () =>
      readFileSync(join(world.folder, 'log', 'edge-agent.log'), 'utf8').includes('waiting for 1 runs'),
    );
    expect(await agent.stop()).toBe(0);
    expect((await world.json<object[]>('runs')).document).toMatchObject([{ state: 'cancelled' }]);
  });
});

describe('a command alone', () => {
  it('ends its run at Ctrl-C and says so with 130', async () => {
    const sleeper = bundleOf({ 'main.py': 'import time\nprint("begin", flush=True)\ntime.sleep(600)\n' });
    await world.release(manifestV1(world, 's.tar.gz', sleeper), { version: 'v1' });
    await world.reconcile();
    const command = startCommand(world, 'trigger', 'default', '--wait');
    await until(
      'the run',
      async () => (await world.json<{ state: string }[]>('runs')).document[0]?.state === 'running',
    );
    expect(await command.stop('SIGINT')).toBe(130);
    expect((await world.json<object[]>('runs')).document).toMatchObject([{ state: 'cancelled' }]);
  });
});
