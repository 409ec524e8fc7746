import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { newKey } from '../../trust/ceremony/new-key.ts';
import { DeviceKeyError } from '../../trust/device-key.ts';
import { loadDeviceKey, loadOrCreateDeviceKey } from '../../trust/device-keys.ts';
import { thumbprint } from '../../trust/thumbprint.ts';

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'credentials-'));
  path = join(folder, 'device.jwk');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe('the device key', () => {
  it('is made once and found again', async () => {
    expect(await loadDeviceKey(folder)).toBeNull();
    const made = await loadOrCreateDeviceKey(folder);
    expect(made.kid).toBe(thumbprint(made));
    expect(await loadOrCreateDeviceKey(folder)).toEqual(made);
    expect(await loadDeviceKey(folder)).toEqual(made);
  });

  it.runIf(process.platform !== 'win32')('is for its owner only', async () => {
    await loadOrCreateDeviceKey(folder);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
  });

  it('is another one each time', () => {
    expect(new Set(Array.from({ length: 20 }, () => newKey().kid)).size).toBe(20);
  });

  it.runIf(process.platform !== 'win32')('is refused when others may read it', async () => {
    await loadOrCreateDeviceKey(folder);
    await chmod(path, 0o640);
    await expect(loadDeviceKey(folder)).rejects.toThrow('expected mode 0600, found 0640');
  });

  const good = newKey();
  it.each([
    ['no JSON', 'key'],
    ['a public key', JSON.stringify({ kty: good.kty, crv: good.crv, x: good.x })],
    ['halves of two keys', JSON.stringify({ ...good, x: newKey().x })],
    ['another curve', JSON.stringify({ ...good, crv: 'X25519' })],
    ['too much', ' '.repeat(5_000)],
  ])('is refused when the file holds %s, without showing or replacing it', async (_, text) => {
    await writeFile(path, text, { mode: 0o600 });
    const failure = await loadOrCreateDeviceKey(folder).catch((error: unknown) => error as Error);
    expect(failure).toBeInstanceOf(DeviceKeyError);
    expect((failure as Error).message).not.toContain(good.d);
    expect(await readFile(path, 'utf8')).toBe(text);
  });
});
