import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import type { DoctorReport } from '../../schemas/doctor.ts';
import type { Status } from '../../schemas/status.ts';
import { createConsoleWorld } from '../support/console-world.ts';
import { helloBundle } from '../support/world.ts';

const seals =
  process.getuid?.() === 0 &&
  spawnSync('systemd-creds', ['encrypt', '--name=probe', '-', '-'], { input: 'x' }).status === 0;

describe.runIf(seals)('an agent whose device key is in a keystore', () => {
  afterEach(() => {
    process.env['EDGE_AGENT_KEYSTORE'] = 'file';
  });

  it('is enrolled, reports, moves its key when asked, and goes on without it when it is locked', async () => {
    await using world = await createConsoleWorld();
    const bundle = helloBundle('hello');
    const edge_url = await world.upload('hello.tar.gz', bundle);
    const flow = { id: 'hello', version: 'v1.0.0', edge_url, sha256: bundle.sha256, runtime: 'python' };
    await world.release([{ ...flow, entrypoint: 'main.py' }]);
    process.env['EDGE_AGENT_KEYSTORE'] = 'systemd-creds';
    const machine = await world.enrol('sealed');
    const folder = join(machine.folder, 'credentials');
    const keyCheck = async () => {
      const report = await machine.json<DoctorReport>('doctor');
      return report.checks.find(({ name }) => name === 'credentials.device_key');
    };
    const pending = async () => (await machine.json<Status>('status')).outbox.pending;

    // whoever starts it next need not know where the key is
    delete process.env['EDGE_AGENT_KEYSTORE'];
    expect((await machine.agent('reconcile')).code).toBe(0);
    expect(await pending()).toBe(0);
    expect(await readdir(folder)).not.toContain('device.jwk');
    expect(await keyCheck()).toMatchObject({
      status: 'ok',
      found: expect.stringMatching(/^\S{43} in systemd-creds: .*device\.jwk\.cred$/),
    });

    process.env['EDGE_AGENT_KEYSTORE'] = 'file';
    expect((await machine.agent('reconcile')).code).toBe(0);
    expect(existsSync(join(folder, 'device.jwk'))).toBe(true);
    expect(existsSync(join(folder, 'device.jwk.cred'))).toBe(false);
    const { kid } = JSON.parse(await readFile(join(folder, 'device.jwk'), 'utf8')) as { kid: string };

    process.env['EDGE_AGENT_KEYSTORE'] = 'systemd-creds';
    await machine.agent('reconcile');
    delete process.env['EDGE_AGENT_KEYSTORE'];
    expect((await keyCheck())?.found).toContain(`${kid} in systemd-creds`);
    await writeFile(join(folder, 'device.jwk.cred'), 'sealed by another machine');
    await world.release([{ ...flow, version: 'v1.0.1', entrypoint: 'main.py' }]);
    expect((await machine.agent('reconcile')).code).toBe(0);
    expect(await pending()).toBeGreaterThan(0);
    expect(await keyCheck()).toMatchObject({
      status: 'fail',
      found: expect.stringContaining('expected a device key that this machine can open'),
    });
    expect(existsSync(join(folder, 'device.jwk'))).toBe(false);
  }, 180_000);
});
