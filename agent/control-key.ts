import { randomBytes, timingSafeEqual } from 'node:crypto';
import { readFile, rm, writeFile } from 'node:fs/promises';

/** The header that carries it. */
export const CONTROL_KEY_HEADER = 'x-edge-agent-key';

const BYTES = 32;

/**
 * What a caller of the control socket must know, anew with every server: a file beside the socket, 0600. The right to connect is not
 * enough: a child under Node's permission model that may use the network may connect to any socket of its account, and reads no
 * file but its own. A named pipe of Windows has no place for it.
 */
export async function writeControlKey(socket: string): Promise<string | null> {
  if (process.platform === 'win32') return null;
  const key = randomBytes(BYTES).toString('hex');
  await rm(fileOf(socket), { force: true });
  await writeFile(fileOf(socket), key, { mode: 0o600, flag: 'wx' });
  return key;
}

export async function removeControlKey(socket: string): Promise<void> {
  if (process.platform !== 'win32') await rm(fileOf(socket), { force: true });
}

/** Of the server behind the socket; null when there is none to be read. */
export async function readControlKey(socket: string): Promise<string | null> {
  if (process.platform === 'win32') return null;
  return readFile(fileOf(socket), 'utf8').catch(() => null);
}

/** Whether what a caller gave is the key; without a key everybody is let in. */
export function knowsKey(key: string | null, given: string | readonly string[] | undefined): boolean {
  if (key === null) return true;
  if (typeof given !== 'string' || given.length !== key.length) return false;
  return timingSafeEqual(Buffer.from(given), Buffer.from(key));
}

function fileOf(socket: string): string {
  return `${socket}.key`;
}
