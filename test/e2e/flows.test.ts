import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RunReport } from '../../schemas/run.ts';
import { bundleOf } from '../support/bundles.ts';
import { createWorld, flowV2, helloBundle, v2, type World } from '../support/world.ts';

let world: World;
beforeEach(async () => {
  world = await createWorld();
});
afterEach(() => world[Symbol.asyncDispose]());

const trigger = async (flow: string) => (await world.json<RunReport>('trigger', flow, '--wait')).document;
/** Prints its arguments; fails its self-test when told to. */
const checked = (name: string, healthy: boolean) =>
  bundleOf({
    'main.py': `import sys
if "--self-test" in sys.argv:
    sys.exit(${healthy ? 0 : '"no licence found"'})
print(${JSON.stringify(name)}, *sys.argv[1:])
`,
  });
const health = { args: ['--self-test'], timeout: '20s' };

describe('a health check', () => {
  it('puts the previous version back when it fails, and leaves the bad digest alone', async () => {
    const commit = await world.release(v2(flowV2(world, 'a', 'v1', checked('one', true), { health })));
    const first = `tenant/acme@sha1:${commit}`;
    expect((await world.reconcile()).code).toBe(0);
    await world.release(v2(flowV2(world, 'a', 'v2', checked('two', false), { health })));
    const bad = await world.reconcile();
    expect({ code: bad.code, error: bad.document.error?.code }).toEqual({ code: 4, error: 'health_failed' });
    expect(bad.document.error?.message).toContain('no licence found');
    expect(world.current().flows['a']).toMatchObject({ version: 'v1', revision: first });
    expect(await trigger('a')).toMatchObject({ stdout: 'one\n', revision: first });
    const again = await world.reconcile();
    expect({ code: again.code, error: again.document.error?.code }).toEqual({
      code: 4,
      error: 'quarantined',
    });
    expect(again.document.flows[0]?.quarantined?.reason).toContain('health check');
    expect((await world.json('rollback', 'a')).code).toBe(4);
    await world.release(v2(flowV2(world, 'a', 'v3', checked('three', true), { health })));
    const fixed = await world.reconcile();
    expect(fixed.code).toBe(0);
    expect(fixed.document.flows).toMatchObject([
      { id: 'a', active_version: 'v3', health: 'healthy', phase: 'active' },
    ]);
  });

  it('leaves nothing active when the first version fails', async () => {
    await world.release(v2(flowV2(world, 'a', 'v1', checked('one', false), { health })));
    expect((await world.reconcile()).code).toBe(4);
    expect(world.current().flows).toEqual({});
  });

  it('only says so when runs.rollback_on is never', async () => {
    world.writeConfig({ runs: { allow_root: true, rollback_on: 'never' } });
    await world.release(v2(flowV2(world, 'a', 'v1', checked('one', false), { health })));
    const result = await world.reconcile();
    expect(result.code).toBe(4);
    expect(result.document.flows).toMatchObject([{ active_version: 'v1', health: 'unhealthy' }]);
  });
});

describe('settings of a flow', () => {
  it('change without another version, and without another download', async () => {
    const bundle = checked('args', true);
    await world.release(v2(flowV2(world, 'a', 'v1', bundle, { args: ['--slow'] })));
    await world.reconcile();
    expect((await trigger('a')).stdout).toBe('args --slow\n');
    await world.release(v2(flowV2(world, 'a', 'v1', bundle, { args: ['--fast'], env: { LANGUAGE: 'fr' } })));
    const changed = await world.reconcile();
    expect(changed.code).toBe(0);
    expect(changed.document.actions.map(({ step }) => step)).toEqual(['prepare', 'activate']);
    expect((await trigger('a')).stdout).toBe('args --fast\n');
    expect(world.artifacts.requests).toHaveLength(1);
    expect((await world.reconcile()).document.actions).toEqual([]);
  });

  it('give a flow its secrets by name, and fail the run before it starts when one is missing', async () => {
    const bundle = bundleOf({
      'main.py': 'import os\nprint(len(os.environ["CRM_PASSWORD"]), os.environ["CRM_PASSWORD"])\n',
    });
    await world.release(v2(flowV2(world, 'a', 'v1', bundle, { secrets: ['CRM_PASSWORD'] })));
    await world.reconcile();
    const missing = await trigger('a');
    expect(missing).toMatchObject({
      status: 'failed',
      exit_code: null,
      reason: expect.stringContaining('CRM_PASSWORD'),
    });
    writeFileSync(join(world.folder, 'credentials', 'secrets.yaml'), 'CRM_PASSWORD: "correct horse"\n', {
      mode: 0o600,
    });
    expect((await trigger('a')).stdout).toBe('13 [redacted]\n');
  });

  it('run a failing flow again as often as retries says', async () => {
    const bundle = bundleOf({
      'main.py':
        'import os, sys\nprint(os.environ["EDGE_ATTEMPT"])\nsys.exit(int(os.environ["EDGE_ATTEMPT"]) < 3)\n',
    });
    await world.release(v2(flowV2(world, 'a', 'v1', bundle, { retries: 2 })));
    await world.reconcile();
    expect(await trigger('a')).toMatchObject({ status: 'succeeded', attempt: 3, stdout: '3\n' });
  });

  it('end a run that takes longer than its timeout', async () => {
    const bundle = bundleOf({ 'main.py': 'import time\nprint("begin", flush=True)\ntime.sleep(60)\n' });
    await world.release(v2(flowV2(world, 'a', 'v1', bundle, { timeout: '500ms' })));
    await world.reconcile();
    const report = await world.json<RunReport>('trigger', 'a', '--wait');
    expect(report.code).toBe(6);
    expect(report.document).toMatchObject({ status: 'timed_out', stdout: 'begin\n' });
  });

  it('select agents by their labels', async () => {
    const canary = flowV2(world, 'canary', 'v1', helloBundle('canary'), { targets: { ring: 'canary' } });
    await world.release(v2(canary, flowV2(world, 'all', 'v1', helloBundle('all'))));
    expect((await world.reconcile()).code).toBe(0);
    expect(Object.keys(world.current().flows)).toEqual(['all']);
    world.writeConfig({ labels: { ring: 'canary' } });
    await world.reconcile();
    expect(Object.keys(world.current().flows).toSorted()).toEqual(['all', 'canary']);
  });
});

describe('a program of the bundle', () => {
  it('runs as a subprocess, from zstd as from gzip, with and without a leading ./', async () => {
    const bundle = bundleOf(
      { 'bin/report.sh': '#!/bin/sh\necho "report $1 in $(basename "$PWD")"\n' },
      { compression: 'zstd', executable: ['bin/report.sh'], prefix: './' },
    );
    const flow = flowV2(world, 'report', 'v1', bundle, {
      runtime: 'subprocess',
      entrypoint: 'bin/report.sh',
      args: ['daily'],
    });
    await world.release(v2(flow));
    expect((await world.reconcile()).code).toBe(0);
    expect(existsSync(world.path('flows/report/v1/bin/report.sh'))).toBe(true);
    expect(await trigger('report')).toMatchObject({ status: 'succeeded', stdout: 'report daily in work\n' });
  });

  it('is refused for a runtime this machine cannot run, and the others proceed', async () => {
    const ahk = flowV2(world, 'b', 'v1', helloBundle('b'), { runtime: 'ahk' });
    await world.release(v2(flowV2(world, 'a', 'v1', helloBundle('a')), ahk));
    const result = await world.reconcile();
    expect({ code: result.code, error: result.document.error?.code }).toEqual({
      code: 4,
      error: 'runtime_unsupported',
    });
    expect(Object.keys(world.current().flows)).toEqual(['a']);
    await world.release(v2(flowV2(world, 'a', 'v1', helloBundle('a'))));
    const gone = await world.reconcile();
    expect(gone.code).toBe(0);
    expect(gone.document.flows.map(({ id }) => id)).toEqual(['a']);
  });
});
