import { rmSync } from 'node:fs';
import { basename, dirname, extname } from 'node:path';
import { listNumbered, openRotatingFile } from '../system/rotating-file.ts';
import type { CaptureOutput } from './output-capture.ts';

/** What an end is explained with. */
const TAIL_BYTES = 16 * 1024;
const FILES = 2;

/**
 * Keeps the newest `limit` bytes of a stream that may go on for ever, redacted, in `path` and one full file before it
 * (`stdout.log`, `stdout.1.log`), of half the limit each. A disk that takes no more costs the output, never the service.
 */
export const captureLatest: CaptureOutput = (stream, { path, limit, redactor }) => {
  const redaction = redactor.stream();
  const extension = extname(path);
  const name = basename(path, extension);
  const directory = dirname(path);
  const maxBytes = Math.max(1, Math.floor(limit / FILES));
  for (const { file } of listNumbered(directory, name, extension)) rmSync(file, { force: true });
  const log = openRotatingFile({ directory, name, extension, maxBytes, maxFiles: FILES });
  let tail: Buffer = Buffer.alloc(0);
  let dropped = 0;

  const keep = (bytes: Uint8Array): void => {
    if (bytes.length === 0) return;
    tail = Buffer.concat([tail, bytes]).subarray(-TAIL_BYTES);
    for (let at = 0; at < bytes.length; at += maxBytes) {
      try {
        log.append(bytes.subarray(at, at + maxBytes));
      } catch {
        dropped += Math.min(maxBytes, bytes.length - at);
      }
    }
  };

  const ended = new Promise<void>((resolve) => {
    stream.on('data', (chunk: Buffer) => keep(redaction.write(chunk)));
    for (const end of ['error', 'close', 'end']) stream.once(end, () => resolve());
    // A program that ended at once, without a word, has closed it before anybody listened.
    if (stream.readableEnded || stream.destroyed) resolve();
  });

  return Promise.resolve({
    async finish(limitMs) {
      const expired = Promise.withResolvers<void>();
      const timer = setTimeout(expired.resolve, limitMs);
      await Promise.race([ended, expired.promise]);
      clearTimeout(timer);
      stream.destroy();
      keep(redaction.end());
      log.close();
      return { kept: tail, dropped };
    },
  });
};
