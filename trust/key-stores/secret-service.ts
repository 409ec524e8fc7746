import { runFed } from '../../system/fed-program.ts';
import { DeviceKeyError, deviceKeyDocument, parseDeviceKey } from '../device-key.ts';
import { type DeviceKeySlot, type DeviceKeyStore, expectKept } from './port.ts';

const TIMEOUT_MS = 10_000;
const MAX_BYTES = 65_536;

/**
 * The Secret Service of a desktop session (GNOME Keyring, KWallet) through libsecret's `secret-tool`. It opens when a person
 * logs in, so it is used when asked for and never by itself: an agent has to come up without anybody.
 * https://manpages.debian.org/bookworm/libsecret-tools/secret-tool.1.en.html
 */
export function createSecretServiceStore(item: string, program = 'secret-tool'): DeviceKeyStore {
  const attributes = (slot: DeviceKeySlot) => ['application', 'edge-agent', 'item', item, 'slot', slot];
  const place = (slot: DeviceKeySlot) => `Secret Service item ${item} (${slot})`;
  const run = (args: readonly string[], input = '') =>
    runFed(program, args, { input, timeoutMs: TIMEOUT_MS, maxBytes: MAX_BYTES });
  const failed = (slot: DeviceKeySlot, doing: string, why: string) => {
    const advice = 'unlock the keyring (log in to the desktop), and install libsecret-tools';
    return new DeviceKeyError(`${place(slot)}: expected to ${doing} the device key, found ${why}; ${advice}`);
  };
  const store: DeviceKeyStore = {
    kind: 'secret-service',
    place,
    async read(slot) {
      // `search` shows a locked item without its secret, where `lookup` asks the person and takes a locked one for none
      const { exitCode, stdout, stderr, found } = await run(['search', ...attributes(slot)]);
      const secret = /^secret = ([A-Za-z0-9_-]+)$/m.exec(stdout.toString('utf8'))?.[1];
      if (secret !== undefined) return parseDeviceKey(Buffer.from(secret, 'base64url'), place(slot));
      if (exitCode === null) throw failed(slot, 'read', found ?? 'no answer');
      if (stdout.length > 0) throw failed(slot, 'read', 'a locked keyring');
      if (stderr !== '') throw failed(slot, 'read', stderr.slice(0, 300));
      return null;
    },
    async write(slot, key) {
      const secret = Buffer.from(deviceKeyDocument(key)).toString('base64url');
      const args = ['store', '--label=edge-agent device key', ...attributes(slot)];
      const { exitCode, stderr, found } = await run(args, secret);
      if (exitCode !== 0) throw failed(slot, 'keep', found ?? stderr.slice(0, 300));
      await expectKept(store, slot, key);
    },
    async remove(slot) {
      const { exitCode, stderr, found } = await run(['clear', ...attributes(slot)]);
      // it ends with 1 and without a word when there is nothing
      if (exitCode === null || stderr !== '') throw failed(slot, 'remove', found ?? stderr.slice(0, 300));
    },
  };
  return store;
}
