import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bundleOf } from '../support/bundles.ts';
import { createWorld, helloBundle, manifestV1, type World } from '../support/world.ts';

/** Only root may mount a small disk; elsewhere faults are injected (store-crash.test.ts). */
const canMount = process.getuid?.() === 0 && tried();

function tried(): boolean {
  try {
    execFileSync('unshare', ['--mount', 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

describe.skipIf(!canMount)('a really full disk', () => {
  let world: World;
  let disk: string;
  beforeAll(async () => {
    world = await createWorld();
    disk = join(world.folder, 'disk');
    mkdirSync(disk);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=6m', 'tmpfs', disk]);
    world.writeConfig({ edge_cache_dir: disk });
  });
  afterAll(async () => {
    execFileSync('umount', [disk]);
    await world[Symbol.asyncDispose]();
  });

  it('is said with exit 5, what is active goes on, and a smaller release is taken', async () => {
    await world.release(manifestV1(world, 'a.tar.gz', helloBundle('small')), { version: 'v1' });
    expect((await world.reconcile()).code).toBe(0);
    const large = bundleOf({ 'main.py': 'print(1)', 'data.bin': randomBytes(8_000_000) });
    await world.release(manifestV1(world, 'b.tar.gz', large), { version: 'v2' });
    for (let attempt = 0; attempt < 2; attempt += 1) {
      const full = await world.reconcile();
      expect({ code: full.code, error: full.document.error?.code }).toEqual({ code: 5, error: 'disk_full' });
      expect(full.stderr).not.toContain('bug');
    }
    const run = await world.json('trigger', 'default', '--wait');
    expect(run.document).toMatchObject({ status: 'succeeded', stdout: 'small v1\n' });
    await world.release(manifestV1(world, 'c.tar.gz', helloBundle('fits')), { version: 'v3' });
    const fits = await world.reconcile();
    expect({ code: fits.code, stderr: fits.stderr }).toEqual({ code: 0, stderr: '' });
  });
});
