import { runFed } from '../../system/fed-program.ts';
import { DeviceKeyError } from '../device-key.ts';
import type { Sealer } from './sealed-file.ts';

/** A cold PowerShell takes seconds. */
const TIMEOUT_MS = 60_000;
const MAX_BYTES = 262_144;

/** Base64 in, base64 out. Of the machine and not of the account: a person enrols, a service account runs. */
const script = (verb: 'Protect' | 'Unprotect') => `
$ErrorActionPreference = 'Stop'
Add-Type -AssemblyName System.Security
$given = [Convert]::FromBase64String([Console]::In.ReadToEnd().Trim())
$bound = [Text.Encoding]::UTF8.GetBytes('edge-agent-device')
$made = [Security.Cryptography.ProtectedData]::${verb}($given, $bound, 'LocalMachine')
[Console]::Out.Write([Convert]::ToBase64String($made))
`;

/**
 * Windows DPAPI through PowerShell's ProtectedData. Whoever runs programs on the machine and may read the file can open it; who has
 * a copy of the file alone cannot. The secret goes through standard input. Written from its documentation, and tried by nobody yet.
 * https://learn.microsoft.com/dotnet/api/system.security.cryptography.protecteddata
 */
export function createDataProtectionSealer(program = 'powershell.exe'): Sealer {
  const run = async (verb: 'Protect' | 'Unprotect', given: Uint8Array, expected: string, advice: string) => {
    const encoded = Buffer.from(script(verb), 'utf16le').toString('base64');
    const args = ['-NoProfile', '-NonInteractive', '-EncodedCommand', encoded];
    const { exitCode, stdout, found } = await runFed(program, args, {
      input: Buffer.from(given).toString('base64'),
      timeoutMs: TIMEOUT_MS,
      maxBytes: MAX_BYTES,
    });
    if (exitCode === 0) return Buffer.from(stdout.toString('utf8').trim(), 'base64');
    throw new DeviceKeyError(
      `${expected}, found ${found ?? `exit code ${exitCode}`} of ${program}; ${advice}`,
    );
  };
  return {
    kind: 'dpapi',
    suffix: '.dpapi',
    async seal(secret) {
      const expected = 'expected DPAPI to seal the device key';
      const sealed = await run('Protect', secret, expected, 'EDGE_AGENT_KEYSTORE=file keeps it in a file');
      return sealed.toString('base64');
    },
    open(sealed, place) {
      const expected = `${place}: expected a device key that this machine can open`;
      const advice = 'it opens on the machine that sealed it; there, or remove it and enrol this agent again';
      const bytes = Buffer.from(Buffer.from(sealed).toString('utf8').trim(), 'base64');
      return run('Unprotect', bytes, expected, advice);
    },
  };
}
