import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Event } from '../../schemas/event.ts';
import { bundleOf } from '../support/bundles.ts';
import { type Daemon, startDaemon, until } from '../support/daemon.ts';
import { createWorld, flowV2, helloBundle, v2, type World } from '../support/world.ts';

let world: World;
let daemon: Daemon | null = null;

/** One flow that runs, one without its program, one from a place that is not allowed. */
beforeAll(async () => {
  world = await createWorld();
  const far = {
    id: 'far',
    version: 'v1',
    edge_url: 'https://elsewhere.example/far.tar.gz',
    sha256: 'e'.repeat(64),
    runtime: 'python',
  };
  const good = flowV2(world, 'good', 'v1', helloBundle('good'));
  const typo = flowV2(world, 'typo', 'v1', helloBundle('typo'), { entrypoint: 'mian.py' });
  const unlocked = bundleOf({ 'main.py': '', 'requirements.lock': 'six==1.17.0\n' });
  await world.release(v2(good, typo, far, flowV2(world, 'unlocked', 'v1', unlocked)));
  await world.reconcile();
}, 180_000);
afterAll(async () => {
  await daemon?.stop('SIGKILL');
  await world[Symbol.asyncDispose]();
});

describe('what is in the way', () => {
  it('is said by status of every flow, with or without a daemon', async () => {
    const lines = (text: string) => text.split('\n');
    const expected = [
      expect.stringMatching(/^typo: stalled: expected .*mian\.py/),
      expect.stringMatching(/^far: refused: .*elsewhere\.example/),
    ];
    const alone = await world.agent('status');
    expect(lines(alone.stdout)).toEqual(expect.arrayContaining(expected));
    expect(alone.code).toBe(0);
    daemon = startDaemon(world);
    const beside = await until('a daemon that answers', async () => {
      const { stdout } = await world.agent('status');
      return stdout.includes('edge-agent run, process') ? stdout : null;
    });
    expect(lines(beside)).toEqual(expect.arrayContaining(expected));
    const { document } = await world.json<{ flows: object[] }>('status');
    expect(document.flows.filter((flow) => 'message' in flow)).toEqual([]);
  });

  it('is no run that is missing of a flow: the flow is named', async () => {
    const { stdout } = await world.agent('runs', '--flow', 'good');
    expect(stdout).toBe('No runs of good yet. Start one: edge-agent trigger good\n');
  });

  it('is told by an event whose code is that of its sentence', async () => {
    const { document } = await world.json<Event[]>('events');
    const stalled = document.find(({ reason }) => reason === 'ReconcileStalled');
    expect(stalled).toMatchObject({
      because: 'url_not_allowed',
      message: expect.stringMatching(/^flow far: .*\(and 2 more\)$/) as string,
    });
  });

  it('is said with the name of the flow, also when an executor found it', async () => {
    const { document } = await world.json<Event[]>('events');
    const failed = document.find(({ reason }) => reason === 'PrepareFailed');
    expect(failed?.message).toMatch(/^flow unlocked: .*requirements\.lock/);
  });

  it('is why the tunnel is not connected', async () => {
    const tunnel = { kind: 'rathole', server: '127.0.0.1:1', service: 'a', token_file: 'none' };
    world.writeConfig({ tunnel: { ...tunnel, binary: '/nowhere/rathole' } });
    const { stdout } = await until('a tunnel that failed', async () => {
      const seen = await world.agent('status');
      return seen.stdout.includes('/nowhere/rathole') ? seen : null;
    });
    world.writeConfig();
    expect(stdout).toMatch(/^Tunnel +disconnected, .*: rathole to 127\.0\.0\.1:1: .*\/nowhere\/rathole/m);
  });

  it('is not that the agent does not run when agent.yaml is wrong beside a daemon', async () => {
    world.writeConfig({ nonsense: 1 });
    const { stdout } = await world.agent('status');
    world.writeConfig();
    expect(stdout).toContain(`Agent      edge-agent run, process ${daemon?.process.pid}`);
    expect(stdout).toMatch(/^typo: stalled: /m);
  });
});
