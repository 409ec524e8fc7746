import { runFed } from '../../system/fed-program.ts';
import { DeviceKeyError, deviceKeyDocument, parseDeviceKey } from '../device-key.ts';
import { type DeviceKeySlot, type DeviceKeyStore, expectKept } from './port.ts';

const TIMEOUT_MS = 20_000;
const MAX_BYTES = 65_536;
/** errSecItemNotFound (-25300), as an exit code. */
const NOT_FOUND = 44;

export interface KeychainOptions {
  /** Root's services have no login keychain: the System keychain is open from the start of the machine. */
  readonly keychain: string | null;
  readonly program?: string;
}

/**
 * The macOS Keychain through `security`: generic passwords, base64url of the key's document. What is kept is given on standard
 * input (`security -i`), never as an argument. Written from its manual, and tried by nobody yet.
 */
export function createKeychainStore(item: string, options: KeychainOptions): DeviceKeyStore {
  const { keychain, program = '/usr/bin/security' } = options;
  const service = (slot: DeviceKeySlot) => `edge-agent-device-${slot}`;
  const place = (slot: DeviceKeySlot) => `Keychain item ${service(slot)} of ${item}`;
  const where = keychain === null ? [] : [keychain];
  const run = (args: readonly string[], input = '') =>
    runFed(program, args, { input, timeoutMs: TIMEOUT_MS, maxBytes: MAX_BYTES });
  const failed = (slot: DeviceKeySlot, doing: string, why: string) => {
    const advice = 'unlock the keychain (security unlock-keychain), or log in';
    return new DeviceKeyError(`${place(slot)}: expected to ${doing} the device key, found ${why}; ${advice}`);
  };
  const store: DeviceKeyStore = {
    kind: 'keychain',
    place,
    async read(slot) {
      const args = ['find-generic-password', '-a', item, '-s', service(slot), '-w', ...where];
      const { exitCode, stdout, stderr, found } = await run(args);
      if (exitCode === NOT_FOUND) return null;
      if (exitCode !== 0) throw failed(slot, 'read', found ?? (stderr.slice(0, 300) || `exit ${exitCode}`));
      return parseDeviceKey(Buffer.from(stdout.toString('utf8').trim(), 'base64url'), place(slot));
    },
    async write(slot, key) {
      const secret = Buffer.from(deviceKeyDocument(key)).toString('base64url');
      const words = ['add-generic-password', '-U', '-a', item, '-s', service(slot), '-T', program];
      const line = [...words, '-w', secret, ...where].join(' ');
      const { exitCode, stderr, found } = await run(['-i'], `${line}\n`);
      // its exit code does not tell of every failure: reading back does
      if (exitCode === null) throw failed(slot, 'keep', found ?? 'no answer');
      await expectKept(store, slot, key).catch(() => {
        throw failed(slot, 'keep', stderr.replaceAll(secret, '…').slice(0, 300) || 'none to read back');
      });
    },
    async remove(slot) {
      const args = ['delete-generic-password', '-a', item, '-s', service(slot), ...where];
      const { exitCode, stderr, found } = await run(args);
      if (exitCode !== 0 && exitCode !== NOT_FOUND)
        throw failed(slot, 'remove', found ?? (stderr.slice(0, 300) || `exit ${exitCode}`));
    },
  };
  return store;
}
