import { open } from 'node:fs/promises';

export type SmallFile =
  | { readonly kind: 'read'; readonly bytes: Uint8Array /** Permission bits. */; readonly mode: number }
  | { readonly kind: 'absent' }
  | { readonly kind: 'too_large' };

/** The whole of a file that must not exceed `maxBytes`, and never more of it, however it grows meanwhile. Other errors are thrown. */
export async function readSmallFile(path: string, maxBytes: number): Promise<SmallFile> {
  let handle: Awaited<ReturnType<typeof open>>;
  try {
    handle = await open(path, 'r');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return { kind: 'absent' };
    throw error;
  }
  try {
    const { mode, size } = await handle.stat();
    if (size > maxBytes) return { kind: 'too_large' };
    const room = Buffer.alloc(size + 1);
    let filled = 0;
    for (;;) {
      const { bytesRead } = await handle.read(room, filled, room.length - filled);
      filled += bytesRead;
      if (filled > size) return { kind: 'too_large' };
      if (bytesRead === 0) return { kind: 'read', bytes: room.subarray(0, filled), mode: mode & 0o777 };
    }
  } finally {
    await handle.close();
  }
}
