import { runFed } from '../../system/fed-program.ts';
import { DeviceKeyError } from '../device-key.ts';
import type { Sealer } from './sealed-file.ts';

const TIMEOUT_MS = 20_000;
const MAX_BYTES = 262_144;
/** Bound into what is sealed: a file that systemd sealed for something else is no key of ours. */
const NAME = '--name=edge-agent-device';

/**
 * `systemd-creds` (systemd 250 and later, root): sealed by the TPM2 chip where there is one, and by the host's own secret in
 * /var/lib/systemd/credential.secret. Bound to no PCR, so that an update of the firmware loses no key.
 * https://www.freedesktop.org/software/systemd/man/latest/systemd-creds.html
 */
export function createSystemdSealer(program = 'systemd-creds'): Sealer {
  const run = async (args: readonly string[], input: Uint8Array, expected: string, advice: string) => {
    const { exitCode, stdout, stderr, found } = await runFed(program, [...args, NAME, '-', '-'], {
      input,
      timeoutMs: TIMEOUT_MS,
      maxBytes: MAX_BYTES,
    });
    if (exitCode === 0) return stdout;
    const why = found ?? stderr.split('\n').at(-1) ?? '';
    throw new DeviceKeyError(
      `${expected}, found ${why === '' ? `exit code ${exitCode}` : why} (${program}); ${advice}`,
    );
  };
  return {
    kind: 'systemd-creds',
    suffix: '.cred',
    async seal(secret) {
      const expected = 'expected to seal the device key to this machine';
      const args = ['encrypt', '--with-key=auto', '--tpm2-pcrs='];
      return (await run(args, secret, expected, 'EDGE_AGENT_KEYSTORE=file keeps it in a file')).toString();
    },
    open(sealed, place) {
      const expected = `${place}: expected a device key that this machine can open`;
      const advice =
        'it opens on the machine that sealed it, as root; there, or remove it and enrol this agent again';
      return run(['decrypt', '--newline=no'], sealed, expected, advice);
    },
  };
}
