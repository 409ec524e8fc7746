import { createHash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { RequestRefused } from './refusal.ts';

const CHUNK_BYTES = 256 * 1_024;

/** As many bytes as come, up to `size`. What breaks off leaves what came. */
export async function receive(
  body: Readable,
  handle: FileHandle,
  from: number,
  size: number,
): Promise<number> {
  let at = from;
  const chunks = (body as AsyncIterable<Buffer>)[Symbol.asyncIterator]();
  for (;;) {
    const next = await chunks.next().catch((cause: Error) => {
      const message = `expected the rest of the bytes, found that the request broke off: ${cause.message}`;
      throw new RequestRefused(400, 'broken_off', message);
    });
    if (next.done === true) return at;
    const chunk = next.value;
    if (at + chunk.byteLength > size) {
      const message = `expected ${size} bytes in all (Upload-Length), found more`;
      throw new RequestRefused(413, 'too_large', message);
    }
    let done = 0;
    while (done < chunk.byteLength) {
      const { bytesWritten } = await handle.write(chunk, done, chunk.byteLength - done, at + done);
      done += bytesWritten;
    }
    at += chunk.byteLength;
  }
}

/** SHA-256 of a file. */
export async function digestOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  const handle = await open(path, 'r');
  try {
    const buffer = Buffer.allocUnsafe(CHUNK_BYTES);
    for (;;) {
      const { bytesRead } = await handle.read(buffer, 0, buffer.length);
      if (bytesRead === 0) return hash.digest('hex');
      hash.update(buffer.subarray(0, bytesRead));
    }
  } finally {
    await handle.close();
  }
}
