import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { writeFileAtomically } from '../system/atomic-file.ts';
import { readSmallFile } from '../system/small-file.ts';

export const MACHINE_FILE = 'machine.json';
const ID_MAX_BYTES = 4_096;
const PROGRAM_DEADLINE_MS = 5_000;

/** `credentials_dir/machine.json`: on which machine the credentials were used last. */
const MachineFile = z.object({
  format: z.literal(1),
  agent_id: z.string(),
  machine: z.string(),
  hostname: z.string(),
});

/**
 * What tells this machine from others: a hash of the id its system was installed with, and of the agent's id, so that nobody can
 * follow a machine from one agent to another by it. Null where there is none, as in many containers. A clone of a virtual machine
 * has the same until its system makes another.
 */
export async function machineFingerprint(
  agentId: string,
  systemId: () => Promise<string | null> = readSystemId,
): Promise<string | null> {
  const id = await systemId().catch(() => null);
  if (id === null) return null;
  return createHash('sha256')
    .update(`edge-agent/machine\0${agentId}\0${id}`)
    .digest('base64url')
    .slice(0, 22);
}

/** Where the credentials were before, when that was another machine; null when they were here, or that is not known. */
export async function comesFrom(
  credentialsDir: string,
  agentId: string,
  machine: string | null,
): Promise<{ readonly hostname: string } | null> {
  if (machine === null) return null;
  const file = await readSmallFile(join(credentialsDir, MACHINE_FILE), ID_MAX_BYTES).catch(() => null);
  if (file?.kind !== 'read') return null;
  const noted = MachineFile.safeParse(parsed(Buffer.from(file.bytes).toString('utf8'))).data;
  if (noted === undefined || noted.agent_id !== agentId || noted.machine === machine) return null;
  return { hostname: noted.hostname };
}

/** From now on these credentials are at home here. */
export async function noteMachine(credentialsDir: string, agentId: string, machine: string): Promise<void> {
  const document = { format: 1, agent_id: agentId, machine, hostname: hostname().slice(0, 255) };
  const path = join(credentialsDir, MACHINE_FILE);
  await writeFileAtomically(path, `${JSON.stringify(document, null, 2)}\n`, { mode: 0o600 });
}

async function readSystemId(): Promise<string | null> {
  switch (process.platform) {
    case 'darwin':
      return found(
        await output('/usr/sbin/ioreg', ['-rd1', '-c', 'IOPlatformExpertDevice']),
        /"IOPlatformUUID" = "([^"]+)"/,
      );
    case 'win32': {
      const key = String.raw`HKLM\SOFTWARE\Microsoft\Cryptography`;
      const program = join(process.env['SystemRoot'] ?? String.raw`C:\Windows`, 'System32', 'reg.exe');
      return found(
        await output(program, ['query', key, '/v', 'MachineGuid', '/reg:64']),
        /MachineGuid\s+REG_SZ\s+(\S+)/,
      );
    }
    default:
      for (const path of ['/etc/machine-id', '/var/lib/dbus/machine-id']) {
        const file = await readSmallFile(path, ID_MAX_BYTES).catch(() => null);
        const id = file?.kind === 'read' ? Buffer.from(file.bytes).toString('utf8').trim() : '';
        if (/^[0-9a-f]{32}$/.test(id)) return id;
      }
      return null;
  }
}

async function output(program: string, words: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = { timeout: PROGRAM_DEADLINE_MS, maxBuffer: 1024 * 1024, windowsHide: true };
    execFile(program, [...words], options, (error, stdout) =>
      error === null ? resolve(stdout) : reject(new Error(`${program}: ${error.message}`)),
    );
  });
}

function found(text: string, pattern: RegExp): string | null {
  return pattern.exec(text)?.[1] ?? null;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
