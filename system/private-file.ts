import { chmod, readFile, stat } from 'node:fs/promises';

export type PrivateFile =
  | { readonly kind: 'read'; readonly text: string }
  | { readonly kind: 'absent' }
  /** Of no use; the message never holds what is in it. */
  | { readonly kind: 'unusable'; readonly message: string; readonly cause?: unknown };

/**
 * Reads a small text that only its owner may read; a file that others may read too is closed to them first (0600), unless `asIs`.
 * Modes are not looked at on Windows. Other errors of the system are thrown.
 */
export async function readPrivateFile(path: string, maxBytes: number, asIs = false): Promise<PrivateFile> {
  try {
    const { size, mode } = await stat(path);
    if (size > maxBytes)
      return { kind: 'unusable', message: `${path}: expected at most ${maxBytes} bytes, found ${size}` };
    const open = !asIs && process.platform !== 'win32' && (mode & 0o077) !== 0;
    const fault = open ? await closeToOthers(path, mode) : null;
    return fault ?? { kind: 'read', text: await readFile(path, 'utf8') };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { kind: 'absent' };
    throw error;
  }
}

async function closeToOthers(path: string, mode: number): Promise<PrivateFile | null> {
  try {
    await chmod(path, 0o600);
    return null;
  } catch (cause) {
    const found = (mode & 0o777).toString(8).padStart(4, '0');
    const message = `${path}: expected mode 0600, found ${found}; run as its owner: chmod 600 ${path}`;
    return { kind: 'unusable', message, cause };
  }
}
