import { type FileHandle, open } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import type { Redactor } from '../system/redaction.ts';

/** What a stream of a run came to: redacted, then cut after the first `limit` bytes. */
export interface CapturedOutput {
  readonly kept: Uint8Array;
  /** Bytes that came after the cut. */
  readonly dropped: number;
}

export interface OutputCapture {
  /** Resolves when the stream has ended and the file is written, after `limitMs` at the latest; then reading stops. */
  finish(limitMs: number): Promise<CapturedOutput>;
}

/** Begins to read a stream into `path`; `limit` in bytes. */
export type CaptureOutput = (
  stream: Readable,
  options: { path: string; limit: number; redactor: Redactor },
) => Promise<OutputCapture>;

const FIRST_BYTES = 64 * 1024;

/**
 * Reads a stream to its end whatever it brings, keeps its first `limit` bytes, and writes those to `path` as they come,
 * so that they can be followed. Knows no lines: one of 50 MB is like any other bytes. Memory: `limit`, twice while growing.
 */
export async function captureOutput(
  stream: Readable,
  options: { path: string; limit: number; redactor: Redactor },
): Promise<OutputCapture> {
  const { limit } = options;
  const redaction = options.redactor.stream();
  let file: FileHandle | null = await open(options.path, 'wx', 0o600);
  let kept = Buffer.allocUnsafe(Math.min(FIRST_BYTES, limit));
  let length = 0;
  let written = 0;
  let dropped = 0;
  let writing: Promise<void> | null = null;

  const keep = (bytes: Uint8Array): void => {
    const room = Math.min(bytes.length, limit - length);
    if (length + room > kept.length) {
      const larger = Buffer.allocUnsafe(Math.min(limit, Math.max(kept.length * 2, length + room)));
      kept.copy(larger, 0, 0, length);
      kept = larger;
    }
    kept.set(bytes.subarray(0, room), length);
    length += room;
    dropped += bytes.length - room;
    if (room > 0) writing ??= write().finally(() => (writing = null));
  };

  /** The kept bytes are the queue: one write at a time takes all there are. A full disk costs the file, never the run. */
  const write = async (): Promise<void> => {
    while (file !== null && written < length) {
      try {
        const { bytesWritten } = await file.write(kept, written, length - written);
        written += bytesWritten;
      } catch {
        await file.close().catch(() => {});
        file = null;
      }
    }
  };

  const ended = new Promise<void>((resolve) => {
    stream.on('data', (chunk: Buffer) => {
      // Once full, nothing is shown of what comes: it need not be searched for secrets.
      if (length >= limit) dropped += chunk.length;
      else keep(redaction.write(chunk));
    });
    stream.once('error', () => resolve());
    stream.once('close', () => resolve());
    stream.once('end', () => resolve());
    // A program that ended at once, without a word, has closed it before anybody listened.
    if (stream.readableEnded || stream.destroyed) resolve();
  });

  return {
    async finish(limitMs) {
      const expired = new AbortController();
      const timer = setTimeout(() => expired.abort(), limitMs);
      await Promise.race([
        ended,
        new Promise((resolve) => expired.signal.addEventListener('abort', resolve, { once: true })),
      ]);
      clearTimeout(timer);
      stream.destroy();
      keep(redaction.end());
      if (writing !== null) await writing;
      await write();
      await file?.close();
      return { kept: kept.subarray(0, length), dropped };
    },
  };
}
