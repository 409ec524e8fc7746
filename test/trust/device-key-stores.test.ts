import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { newKey } from '../../trust/ceremony/new-key.ts';
import { DeviceKeyError } from '../../trust/device-key.ts';
import {
  deviceKeyStoreOf,
  KEYSTORE_VARIABLE,
  loadDeviceKey,
  loadOrCreateDeviceKey,
  settleDeviceKeys,
} from '../../trust/device-keys.ts';
import { createFileKeyStore } from '../../trust/key-stores/file.ts';
import { createKeychainStore } from '../../trust/key-stores/keychain.ts';
import { DEVICE_KEY_SLOTS, type DeviceKeyStore } from '../../trust/key-stores/port.ts';
import { createSealedKeyStore } from '../../trust/key-stores/sealed-file.ts';
import { createSecretServiceStore } from '../../trust/key-stores/secret-service.ts';
import { createSystemdSealer } from '../../trust/key-stores/systemd-credentials.ts';

const has = (program: string) => spawnSync('which', [program]).status === 0;
const systemdSeals =
  has('systemd-creds') &&
  process.getuid?.() === 0 &&
  spawnSync('systemd-creds', ['encrypt', '--name=probe', '-', '-'], { input: 'x' }).status === 0;
const desktop = ['dbus-daemon', 'gnome-keyring-daemon', 'secret-tool', 'dbus-send'].every(has);

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'key-stores-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** What every store of device keys does. */
function keepsDeviceKeys(create: () => Promise<DeviceKeyStore>): void {
  it('has none at first, keeps one in each slot, replaces it and lets it go', async () => {
    const store = await create();
    for (const slot of DEVICE_KEY_SLOTS) expect(await store.read(slot)).toBeNull();
    const keys = Object.fromEntries(DEVICE_KEY_SLOTS.map((slot) => [slot, newKey()]));
    for (const slot of DEVICE_KEY_SLOTS) await store.write(slot, keys[slot] as ReturnType<typeof newKey>);
    for (const slot of DEVICE_KEY_SLOTS) expect(await store.read(slot)).toEqual(keys[slot]);
    const next = newKey();
    await store.write('current', next);
    expect(await store.read('current')).toEqual(next);
    expect(await store.read('next')).toEqual(keys['next']);
    for (const slot of DEVICE_KEY_SLOTS) await store.remove(slot);
    for (const slot of DEVICE_KEY_SLOTS) expect(await store.read(slot)).toBeNull();
    await store.remove('current');
  });
}

/** All that lies in a folder, as text, to look for what must not be in it. */
async function contents(directory: string): Promise<string> {
  const files = await readdir(directory);
  return (await Promise.all(files.map((file) => readFile(join(directory, file), 'utf8')))).join('\n');
}

describe('device keys in files', () => {
  keepsDeviceKeys(async () => createFileKeyStore(folder));
});

describe.runIf(systemdSeals)('device keys sealed by systemd-creds', () => {
  keepsDeviceKeys(async () => createSealedKeyStore(folder, createSystemdSealer()));

  it('leaves nothing of the key in the folder', async () => {
    const key = await loadOrCreateDeviceKey(folder, { [KEYSTORE_VARIABLE]: 'systemd-creds' });
    expect((await deviceKeyStoreOf(folder)).kind).toBe('systemd-creds');
    const text = await contents(folder);
    expect(text).not.toContain(key.d);
    expect(text).not.toContain(Buffer.from(key.d).toString('base64').slice(4, 24));
    expect((await stat(join(folder, 'device.jwk.cred'))).mode & 0o777).toBe(0o600);
    expect(await loadDeviceKey(folder)).toEqual(key);
  });

  it('says so when this machine cannot open it, and makes no other key in its place', async () => {
    await loadOrCreateDeviceKey(folder, { [KEYSTORE_VARIABLE]: 'systemd-creds' });
    await writeFile(join(folder, 'device.jwk.cred'), 'V2h4cWh0K2RRSmF4MWFaZUNHTHhtaUFBQUFBQkFBQUFEQQ==');
    await expect(loadDeviceKey(folder)).rejects.toThrow(/expected a device key that this machine can open/);
    await expect(loadOrCreateDeviceKey(folder, {})).rejects.toThrow(DeviceKeyError);
    expect(await readdir(folder)).toEqual(['device-key.json', 'device.jwk.cred']);
  });

  it('takes over the key of a file, and gives it back', async () => {
    const key = await loadOrCreateDeviceKey(folder, {});
    expect(await readdir(folder)).toEqual(['device.jwk']);
    expect(await settleDeviceKeys(folder, {})).toEqual({ kind: 'stayed' });
    const moved = { kind: 'moved', from: 'file', to: 'systemd-creds' };
    expect(await settleDeviceKeys(folder, { [KEYSTORE_VARIABLE]: 'systemd-creds' })).toEqual(moved);
    expect(await contents(folder)).not.toContain(key.d);
    // it stays there when nobody asks for anything
    expect(await settleDeviceKeys(folder, {})).toEqual({ kind: 'stayed' });
    expect(await loadDeviceKey(folder)).toEqual(key);
    await settleDeviceKeys(folder, { [KEYSTORE_VARIABLE]: 'file' });
    expect(await loadDeviceKey(folder)).toEqual(key);
    expect(await readdir(folder)).toEqual(['device-key.json', 'device.jwk']);
  });

  it('removes the copy that a crash left in the file, and touches no other key', async () => {
    const key = await loadOrCreateDeviceKey(folder, { [KEYSTORE_VARIABLE]: 'systemd-creds' });
    await createFileKeyStore(folder).write('current', key);
    const other = newKey();
    await createFileKeyStore(folder).write('next', other);
    await settleDeviceKeys(folder, {});
    expect(await createFileKeyStore(folder).read('current')).toBeNull();
    expect(await createFileKeyStore(folder).read('next')).toEqual(other);
    expect(await loadDeviceKey(folder)).toEqual(key);
  });
});

describe('a keystore that does not work', () => {
  it('leaves the key in its file when it cannot take it over', async () => {
    const key = await loadOrCreateDeviceKey(folder, {});
    const path = process.env['PATH'];
    process.env['PATH'] = folder;
    try {
      await expect(settleDeviceKeys(folder, { [KEYSTORE_VARIABLE]: 'secret-service' })).rejects.toThrow(
        /expected to keep the device key, found ENOENT/,
      );
    } finally {
      process.env['PATH'] = path;
    }
    expect(await loadDeviceKey(folder)).toEqual(key);
    expect(await readdir(folder)).toEqual(['device.jwk']);
  });

  it('is named when EDGE_AGENT_KEYSTORE asks for none that there is', async () => {
    await expect(loadOrCreateDeviceKey(folder, { [KEYSTORE_VARIABLE]: 'vault' })).rejects.toThrow(
      'EDGE_AGENT_KEYSTORE: expected one of auto, file, systemd-creds, secret-service, keychain, dpapi, found "vault"',
    );
    expect(await readdir(folder)).toEqual([]);
  });

  it('that holds no key any more is given up for the place that a new one goes to', async () => {
    const place = { format: 1, store: 'dpapi', item: '5'.repeat(32) };
    await writeFile(join(folder, 'device-key.json'), JSON.stringify(place));
    const key = await loadOrCreateDeviceKey(folder, { [KEYSTORE_VARIABLE]: 'file' });
    expect(await loadDeviceKey(folder)).toEqual(key);
    expect(await loadOrCreateDeviceKey(folder, {})).toEqual(key);
  });

  it('is not taken for no key when the place is damaged', async () => {
    await writeFile(join(folder, 'device-key.json'), '{"format":1,"store":"keychain"}');
    const advice = /expected where the device key is kept.*remove it and enrol/;
    await expect(loadOrCreateDeviceKey(folder, {})).rejects.toThrow(advice);
    // which is what helps
    await rm(join(folder, 'device-key.json'));
    const key = await loadOrCreateDeviceKey(folder, {});
    expect(await loadDeviceKey(folder)).toEqual(key);
  });
});

describe.runIf(desktop)('device keys in the Secret Service of a desktop', () => {
  const processes: ChildProcess[] = [];
  const before = { ...process.env };
  let home: string;

  beforeAll(async () => {
    home = await mkdtemp(join(tmpdir(), 'desktop-'));
    Object.assign(process.env, { HOME: home, XDG_RUNTIME_DIR: home, XDG_DATA_HOME: join(home, 'data') });
    const bus = spawn('dbus-daemon', ['--session', '--nofork', '--print-address=1'], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    processes.push(bus);
    const [address] = (await once(bus.stdout, 'data')) as [Buffer];
    process.env['DBUS_SESSION_BUS_ADDRESS'] = address.toString().trim();
    const keyring = spawn('gnome-keyring-daemon', ['--foreground', '--unlock', '--components=secrets'], {
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    processes.push(keyring);
    keyring.stdin?.end('a password');
    const probe = createSecretServiceStore('0'.repeat(32));
    await vi.waitFor(() => probe.write('current', newKey()), { timeout: 30_000, interval: 100 });
  });
  afterAll(async () => {
    for (const child of processes.toReversed()) child.kill('SIGKILL');
    for (const name of ['HOME', 'XDG_RUNTIME_DIR', 'XDG_DATA_HOME', 'DBUS_SESSION_BUS_ADDRESS']) {
      if (before[name] === undefined) delete process.env[name];
      else process.env[name] = before[name];
    }
    await rm(home, { recursive: true, force: true });
  });

  function toService(method: string, ...args: string[]): number | null {
    const to = ['--session', '--print-reply', '--dest=org.freedesktop.secrets', '/org/freedesktop/secrets'];
    return spawnSync('dbus-send', [...to, method, ...args]).status;
  }

  keepsDeviceKeys(async () => createSecretServiceStore('1'.repeat(32)));

  it('keeps those of several agents apart', async () => {
    const [one, other] = [createSecretServiceStore('2'.repeat(32)), createSecretServiceStore('3'.repeat(32))];
    const [a, b] = [newKey(), newKey()];
    await one.write('current', a);
    await other.write('current', b);
    expect(await one.read('current')).toEqual(a);
    expect(await other.read('current')).toEqual(b);
  });

  it('says that it is locked, where another would take the key for missing', async () => {
    const key = await loadOrCreateDeviceKey(folder, { [KEYSTORE_VARIABLE]: 'secret-service' });
    expect(await loadDeviceKey(folder)).toEqual(key);
    const collection = 'array:objpath:/org/freedesktop/secrets/collection/login';
    expect(toService('org.freedesktop.Secret.Service.Lock', collection)).toBe(0);
    await expect(loadDeviceKey(folder)).rejects.toThrow(/found a locked keyring; unlock the keyring/);
    await expect(loadOrCreateDeviceKey(folder, {})).rejects.toThrow(/locked/);
    await expect(settleDeviceKeys(folder, { [KEYSTORE_VARIABLE]: 'file' })).rejects.toThrow(/locked/);
    expect(await readdir(folder)).toEqual(['device-key.json']);
  });
});

/** Speaks as the manual of macOS' `security` says, keeps items as files, and writes down how it was called. */
const SECURITY = `#!/bin/sh
here=$(dirname "$0")
echo "$@" >> "$here/calls"
if [ "$1" = -i ]; then read -r line; set -- $line; fi
verb=$1; shift
while [ $# -gt 0 ]; do
  case "$1" in
    -a) a=$2; shift ;; -s) s=$2; shift ;; -T) shift ;;
    -w) if [ "$verb" = add-generic-password ]; then w=$2; shift; fi ;;
  esac
  shift
done
case "$verb" in
  add-generic-password) if [ -e "$here/locked" ]; then echo "User interaction is not allowed." >&2; exit 36; fi; printf %s "$w" > "$here/item.$a.$s" ;;
  find-generic-password) [ -e "$here/item.$a.$s" ] || exit 44; cat "$here/item.$a.$s"; echo ;;
  delete-generic-password) rm "$here/item.$a.$s" 2>/dev/null || exit 44 ;;
esac
`;

describe.runIf(process.platform !== 'win32')(
  'device keys in a keychain, spoken to as its manual says',
  () => {
    const keychain = async () => {
      const program = join(folder, 'security');
      await writeFile(program, SECURITY);
      await chmod(program, 0o755);
      return createKeychainStore('4'.repeat(32), { keychain: null, program });
    };
    keepsDeviceKeys(keychain);

    it('never names the key among the arguments, which everybody can list', async () => {
      const store = await keychain();
      const key = newKey();
      await store.write('current', key);
      const calls = await readFile(join(folder, 'calls'), 'utf8');
      expect(calls).toMatch(/^-i\nfind-generic-password -a 4{32} -s edge-agent-device-current -w\n$/);
      expect(await readFile(join(folder, `item.${'4'.repeat(32)}.edge-agent-device-current`), 'utf8')).toBe(
        Buffer.from(`${JSON.stringify(key, null, 2)}\n`).toString('base64url'),
      );
    });

    it('says what the keychain said when it is locked, without the key', async () => {
      const store = await keychain();
      await writeFile(join(folder, 'locked'), '');
      const refused = await store.write('current', newKey()).catch((error: Error) => error);
      expect(refused).toBeInstanceOf(DeviceKeyError);
      expect(String(refused)).toContain('User interaction is not allowed');
    });
  },
);
